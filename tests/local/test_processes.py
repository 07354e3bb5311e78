"""Processes that are started, found again and stopped; and others, which are left alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.errors import ConfigurationError
from ops.local.processes import (
    Process,
    is_alive,
    proc_mark,
    ps_mark,
    read_record,
    start,
    start_mark,
    stop,
    wait_gone,
    write_record,
)

_SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
_STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(60)",
]


def _start(command: list[str], directory: Path) -> Process:
    return start(
        command,
        record=directory / "it.json",
        log=directory / "it.log",
        directory=directory,
        environment={"PATH": os.defpath},
    )


def _await_output(directory: Path) -> None:
    """Wait until the program itself runs: until then a signal finds the starter's handlers."""
    log = directory / "it.log"
    with log.open(encoding="utf-8") as file:
        while not file.read():
            assert read_record(directory / "it.json") is not None


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that nothing here started for a server."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_started_process_is_recorded_logged_and_stopped(tmp_path: Path) -> None:
    """Its record tells which it is, its output is in the log, and stop ends it."""
    process = _start(_SLEEP, tmp_path)
    _await_output(tmp_path)

    assert read_record(tmp_path / "it.json") == process
    assert is_alive(process)
    assert (tmp_path / "it.log").read_text(encoding="utf-8") == "up\n"
    assert stop(process, grace_s=10)
    assert not is_alive(process)
    assert not stop(process, grace_s=10)


def test_a_started_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in the terminal that started it does not reach it, nor does hanging up."""
    process = _start(_SLEEP, tmp_path)
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        stop(process, grace_s=10)


def test_a_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """The command ends; the server goes on."""
    script = (
        "import sys; from pathlib import Path; from ops.local.processes import start;"
        "d = Path(sys.argv[1]); start(sys.argv[2:], record=d / 'it.json', log=d / 'it.log',"
        "directory=d, environment={})"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path, *_SLEEP], check=True)
    process = read_record(tmp_path / "it.json")
    assert process is not None
    try:
        assert is_alive(process)
    finally:
        assert stop(process, grace_s=10)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Patience has an end."""
    process = _start(_STUBBORN, tmp_path)
    _await_output(tmp_path)
    assert stop(process, grace_s=0.2)
    assert not is_alive(process)


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(
            proc_mark,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc"),
        ),
        ps_mark,
    ],
)
def test_a_mark_stays_and_goes_with_its_process(mark: Callable[[int], str | None]) -> None:
    """Both ways to tell processes apart: steady while it lives, none for the dead and undead."""
    with subprocess.Popen(["sleep", "60"]) as process:
        first = mark(process.pid)
        assert first is not None
        assert mark(process.pid) == first
        assert mark(1) != first
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert mark(process.pid) is None
    assert mark(process.pid) is None


def test_a_reused_pid_is_not_the_process(bystander: subprocess.Popen[bytes]) -> None:
    """A record whose pid now belongs to another program stops nothing."""
    mark = start_mark(bystander.pid)
    assert mark is not None
    stale = Process(pid=bystander.pid, started=f"{mark}0")

    assert not is_alive(stale)
    assert not stop(stale, grace_s=10)
    assert bystander.poll() is None


def test_a_zombie_counts_as_dead() -> None:
    """A dead child nobody has asked after is not a running server."""
    with subprocess.Popen(["sleep", "60"]) as child:
        mark = start_mark(child.pid)
        assert mark is not None
        os.kill(child.pid, signal.SIGKILL)
        process = Process(pid=child.pid, started=mark)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process)
        assert wait_gone(process, timeout_s=0)


def test_the_environment_is_what_was_given(tmp_path: Path) -> None:
    """Nothing of the person's environment reaches the process by itself."""
    show = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    process = start(
        show,
        record=tmp_path / "it.json",
        log=tmp_path / "it.log",
        directory=tmp_path,
        environment={"ONLY": "this"},
    )
    assert wait_gone(process, timeout_s=10)
    shown = (tmp_path / "it.log").read_text(encoding="utf-8")
    assert "'ONLY'" in shown
    assert "'HOME'" not in shown


def test_a_program_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    """The error says why, and no record of a process is left."""
    with pytest.raises(ConfigurationError) as refused:
        _start([str(tmp_path / "missing")], tmp_path)
    assert refused.value.code == "cannot-start"
    assert "No such file" in dict(refused.value.where)["said"]
    assert not (tmp_path / "it.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "started": "y"}', '{"pid": 1}'])
def test_a_record_that_says_nothing_usable_is_no_process(tmp_path: Path, text: str) -> None:
    """Half-written or foreign files are not mistaken for processes."""
    path = tmp_path / "it.json"
    path.write_text(text, encoding="utf-8")
    assert read_record(path) is None


def test_a_record_reads_back(tmp_path: Path) -> None:
    """What is written is what is read."""
    process = Process(pid=4711, started="boot:12345")
    write_record(tmp_path / "it.json", process)
    assert read_record(tmp_path / "it.json") == process
