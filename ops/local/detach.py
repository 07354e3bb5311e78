"""Turns a fresh interpreter into a server nobody waits for.

Run as `python -m ops.local.detach RECORD LOG DIRECTORY PROGRAM ARGUMENT…` by `processes.start`. The
record is written before the program runs; exit code 0 says that it runs.
"""

import os
import sys
from pathlib import Path

from ops.local.processes import Process, start_mark, write_record

_PRIVATE_UMASK = 0o077


def main(arguments: list[str]) -> int:
    """Start the program in a session of its own and leave; 0 once it runs, 1 if it cannot."""
    record, log, directory, *command = arguments
    os.umask(_PRIVATE_UMASK)
    # Closed by a successful exec, written to by a failed one.
    watch, failed = os.pipe()
    if os.fork() == 0:
        _become(command, record=Path(record), log=log, directory=directory, failed=failed)
    os.close(failed)
    complaint = os.read(watch, 4096)
    sys.stderr.write(complaint.decode(errors="replace"))
    return 1 if complaint else 0


def _become(
    command: list[str], *, record: Path, log: str, directory: str, failed: int
) -> None:  # pragma: no cover - ends in another program
    """The child's part: never returns."""
    try:
        os.setsid()
        os.chdir(directory)
        mark = start_mark(os.getpid())
        if mark is None:
            os.write(failed, b"cannot tell when this process started")
            os._exit(1)
        write_record(record, Process(pid=os.getpid(), started=mark))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    except OSError as error:
        record.unlink(missing_ok=True)
        os.write(failed, str(error).encode())
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
