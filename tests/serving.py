"""Small HTTP servers for tests: a handler on a port of the loopback, for as long as a block."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SilentHandler(BaseHTTPRequestHandler):
    """Answers requests as its subclass says, and narrates none of them."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""
        del format, args


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Generator[str]:
    """The address of a server that hands each request to the handler, a thread each."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
