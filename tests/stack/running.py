"""`ops open --forward` as a process of its own, and what it says."""

import json
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ops.local.home import Service
from ops.local.loopback import Client
from ops.stack.file import StackFile, write
from ops.stack.use import forwarded_url
from tests.cli.calls import COMMAND, environment

READY = "until Ctrl-C"


def remember(
    directory: Path,
    kubeconfig: object,
    urls: Mapping[str, str] | None = None,
    *,
    namespace: str = "labeling-ops",
) -> None:
    """Let a stack be in use."""
    urls = urls or {
        "label_studio": forwarded_url(Service.LABEL_STUDIO),
        "lakefs": forwarded_url(Service.LAKEFS),
    }
    write(
        directory,
        StackFile(
            name="dev",
            settings={f"{name}.url": url for name, url in urls.items()},
            facts={
                "namespace": namespace,
                "kubeconfig": json.dumps(kubeconfig),
                "is_forwarded": "true",
            },
        ),
    )


@contextmanager
def forwarding(directory: Path, *arguments: str, path: str) -> Generator[subprocess.Popen[str]]:
    """`ops open --forward` with this PATH; it is gone in the end."""
    running = subprocess.Popen(
        [*COMMAND, "open", "--forward", *arguments],
        cwd=directory,
        env=environment(PATH=path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def read_until(running: subprocess.Popen[str], words: str) -> str:
    """What the command narrates, up to and with the line that holds these words."""
    assert running.stderr is not None
    said = ""
    for line in running.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def answers(service: Service) -> bool:
    """Whether the real server answers where it is forwarded to."""
    path = "/health" if service is Service.LABEL_STUDIO else "/_health"
    return Client(forwarded_url(service), timeout_s=2).get(path).status == 200


def servers_answer() -> bool:
    """Whether both do."""
    return all(map(answers, Service))
