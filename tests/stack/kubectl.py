"""A `kubectl` for tests: a real program that forwards ports of this machine to other ports of it.

It takes where to from the kubeconfig it is given, `{"targets": {"service/lakefs": PORT}}`, and does
as kubectl does: ends with words on stderr where there is no such service, or when told to
(`{"lose": PATH}`: when that file appears it says that the connection was lost, once). While the
file of `{"deaf": PATH}` is there it lives and leads nowhere; the next to start removes it.
"""

from pathlib import Path

from tests.stack.recorded import program

_LINES = """
import json, os, pathlib, socket, sys, threading, time

arguments = sys.argv[1:]
def option(name):
    return arguments[arguments.index(name) + 1]

known = json.loads(pathlib.Path(option("--kubeconfig")).read_text())
assert option("--namespace") == "labeling-ops", arguments
service, ports = arguments[-2:]
local, remote = map(int, ports.split(":"))
assert remote == {"service/lakefs": 8000, "service/label-studio": 8080}[service]
target = known["targets"].get(service)
if target is None:
    print(f'Error from server (NotFound): services "{service[8:]}" not found', file=sys.stderr)
    sys.exit(1)
if "pids" in known:
    with open(known["pids"], "a") as file:
        file.write(f"{os.getpid()}\\n")
listener = socket.create_server((option("--address"), local))

def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass

deaf = pathlib.Path(known.get("deaf", "/nowhere"))
if deaf.exists():
    deaf.unlink()

def serve():
    while True:
        near, _ = listener.accept()
        if deaf.exists():
            near.close()
            continue
        far = socket.create_connection(("127.0.0.1", target))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
lose = pathlib.Path(known.get("lose", "/nowhere"))
while True:
    if lose.exists() and lose.read_text() == service:
        lose.unlink()
        print("error: lost connection to pod", file=sys.stderr)
        sys.exit(1)
    time.sleep(0.05)
"""


def kubectl(directory: Path) -> Path:
    """The program in a directory of its own, with an auth plugin that does nothing; gives that."""
    program(directory, "gke-gcloud-auth-plugin", "")
    return program(directory, "kubectl", _LINES)
