"""A small Python language host for the real engine: what runs infra/ as `pulumi` does.

The engine's own is part of its distribution alone, which no registry carries. Owns the running of
programs. Does as the original where it matters here: the program's folder is run as Python runs a
folder (`python infra`), so that its folder is first on sys.path and the repository's root is not
there at all unless the program puts it there.

As a plugin it lives for one command of the engine. Resident, it serves many: the providers' SDKs,
six seconds of CPU to import, are imported once, and the program anew each time.
"""

# gRPC decides the names and arguments of what it calls.
# ruff: noqa: ARG002, N802

import contextlib
import importlib
import os
import runpy
import signal
import sys
import threading
from collections.abc import Generator
from concurrent import futures
from pathlib import Path
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

Wire: TypeAlias = Any
RESIDENT = "--resident"


class Host(LanguageServer):
    """Runs the program the engine names."""

    def __init__(self, engine: str) -> None:
        super().__init__(_nothing)
        self.engine = engine
        self.one_at_a_time = threading.Lock()

    def Handshake(self, request: Wire, context: Wire) -> Wire:
        """Say hello: nothing is agreed on."""
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Wire, context: Wire) -> Wire:
        """Tell a version."""
        return plugin_pb2.PluginInfo(version="0.0.0")

    def Cancel(self, request: Wire, context: Wire) -> Wire:
        """Nothing is under way that could be stopped."""
        return empty_pb2.Empty()

    def RuntimeOptionsPrompts(self, request: Wire, context: Wire) -> Wire:
        """There is nothing to ask."""
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Wire, context: Wire) -> Wire:
        """Run the program, and tell the engine how it ended."""
        folder = Path(request.info.program_directory or request.pwd) / request.info.entry_point

        def program() -> None:
            runpy.run_path(str(folder), run_name="__main__")

        with self.one_at_a_time, _as_if_new(folder, request.pwd):
            self.program = program
            if not request.args:
                request.args.append(self.engine)
            return cast("Wire", super()).Run(request, context)


@contextlib.contextmanager
def _as_if_new(folder: Path, working_folder: str) -> Generator[None]:
    """Run in a folder, and forget the program's own modules and its changes of the path after."""
    os.chdir(working_folder)
    path = [*sys.path]
    try:
        yield
    finally:
        sys.path[:] = path
        own = [name for name in sys.modules if name.partition(".")[0] == folder.name]
        for name in own:
            del sys.modules[name]
        importlib.invalidate_caches()


def serve(arguments: list[str]) -> None:
    """Say the port on stdout, as the engine expects, and serve.

    Until the engine ends this process; with `--resident`, until stdin ends.
    """
    # Ctrl-C goes to the whole group; the engine tells its plugins itself when to end.
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(0))
    engine = next((argument for argument in arguments if not argument.startswith("-")), "")
    server = grpc.server(futures.ThreadPoolExecutor(8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.start()
    if RESIDENT in arguments:
        sys.stdin.read()
        os._exit(0)
    server.wait_for_termination()


def _nothing() -> None:
    """No program yet: `Run` names it."""


if __name__ == "__main__":
    serve(sys.argv[1:])
