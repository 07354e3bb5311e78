"""A small Python language host for the real engine: what runs infra/ as `pulumi` does.

The engine's own is part of its distribution alone, which no registry carries. Owns the running of
one program in one process. Does as the original where it matters here: the program's folder is
run as Python runs a folder (`python infra`), so that its folder is first on sys.path and the
repository's root is not there at all unless the program puts it there.
"""

# gRPC decides the names and arguments of what it calls.
# ruff: noqa: ARG002, D102, N802

import os
import runpy
import signal
import sys
from concurrent import futures
from pathlib import Path
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

Wire: TypeAlias = Any


class Host(LanguageServer):
    """Runs the program the engine names."""

    def __init__(self, engine: str) -> None:
        super().__init__(_nothing)
        self.engine = engine

    def Handshake(self, request: Wire, context: Wire) -> Wire:
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Wire, context: Wire) -> Wire:
        return plugin_pb2.PluginInfo(version="0.0.0")

    def Cancel(self, request: Wire, context: Wire) -> Wire:
        return empty_pb2.Empty()

    def RuntimeOptionsPrompts(self, request: Wire, context: Wire) -> Wire:
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Wire, context: Wire) -> Wire:
        os.chdir(request.pwd)
        folder = Path(request.info.program_directory or request.pwd) / request.info.entry_point

        def program() -> None:
            runpy.run_path(str(folder), run_name="__main__")

        self.program = program
        if not request.args:
            request.args.append(self.engine)
        return cast("Wire", super()).Run(request, context)


def serve(arguments: list[str]) -> None:
    """Say the port on stdout, as the engine expects, and serve until it ends this process."""
    # Ctrl-C goes to the whole group; the engine tells its plugins itself when to end.
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(0))
    engine = next((argument for argument in arguments if not argument.startswith("-")), "")
    server = grpc.server(futures.ThreadPoolExecutor(8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.start()
    server.wait_for_termination()


def _nothing() -> None:
    """No program yet: `Run` names it."""


if __name__ == "__main__":
    serve(sys.argv[1:])
