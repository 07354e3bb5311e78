"""The processes below one, and where they listen: read from /proc."""

from collections.abc import Iterator
from pathlib import Path

_LISTENING = "0A"
_LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def descendants(pid: int) -> list[int]:
    """The processes below a process."""
    children: dict[int, list[int]] = {}
    for other, parent, _ in _processes():
        children.setdefault(parent, []).append(other)
    found, todo = list[int](), [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def alive(pids: list[int]) -> list[int]:
    """Those of these processes that are there still; one that only waits for its parent is not."""
    states = {pid: state for pid, _, state in _processes()}
    return [pid for pid in pids if states.get(pid, "Z") != "Z"]


def command_of(pid: int) -> str:
    """What a process calls itself."""
    return (Path("/proc") / str(pid) / "cmdline").read_text("utf-8", errors="replace")


def listeners(pids: list[int]) -> list[str]:
    """The addresses TCP sockets of these processes listen at, as the kernel writes them."""
    owned = {link for pid in pids for link in _links(pid)}
    found: list[str] = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text("utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in owned:
                found.append(fields[1])
    return found


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address the kernel wrote."""
    return address.partition(":")[0] in _LOOPBACK


def _processes() -> Iterator[tuple[int, int, str]]:
    """Every process with its parent and its state."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text("utf-8", errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            state, parent = status.rpartition(")")[2].split()[:2]
            yield int(entry.name), int(parent), state


def _links(pid: int) -> Iterator[str]:
    try:
        for descriptor in (Path("/proc") / str(pid) / "fd").iterdir():
            yield str(descriptor.readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return
