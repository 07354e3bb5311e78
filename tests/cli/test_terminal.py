"""What a person's terminal shows: colours, unless they asked for none, and progress that moves."""

import os
import pty
import re
import select
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import TextIO

import pytest

from ops.cli.output import Result, Table, Warn, print_error, print_result
from ops.cli.progress import reporter
from ops.errors import NotFoundError
from tests.cli.calls import COMMAND, environment

SGR = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[([0-9;]*;)?3[0-9]m")


def _on_terminal(*arguments: str, directory: Path, env: Mapping[str, str]) -> str:
    """Run a command with both streams on a terminal of 60 columns; what it showed."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=theirs,
            stderr=theirs, env=environment(**{"TERM": "xterm-256color", "COLUMNS": "60", **env}),
        )  # fmt: skip
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        process.wait(timeout=60)
    finally:
        os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # Linux's way to say that nobody has the other end any more.
        return b""


def test_errors_are_coloured_on_a_terminal(tmp_path: Path) -> None:
    """The head of it; the text is the same as on a pipe."""
    shown = _on_terminal("round", "list", directory=tmp_path, env={})
    assert COLOUR.search(shown)
    assert SGR.sub("", shown).startswith("error[setting-missing]: lakefs.url is not set")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("arguments", [["round", "list"], ["config", "show"]])
def test_no_color_is_respected(env: dict[str, str], arguments: list[str], tmp_path: Path) -> None:
    """No colour in errors, tables and headings."""
    shown = _on_terminal(*arguments, directory=tmp_path, env=env)
    assert shown.strip()
    assert not COLOUR.search(shown)


def test_tables_fold_within_the_terminal(tmp_path: Path) -> None:
    """No line is wider than the terminal."""
    shown = _on_terminal("config", "show", directory=tmp_path, env={"NO_COLOR": "1"})
    assert max(len(SGR.sub("", line)) for line in shown.splitlines()) <= 60
    assert "lakefs.secret" in shown


def test_a_pipe_gets_whole_lines_without_colour() -> None:
    """However long a cell is, it stays on its line; numbers stand right."""
    rows = [("a" * 300, 7), ("b", 1234)]
    out, err = StringIO(), StringIO()
    result = Result(
        data={}, body=["heading", Table(columns=("name", "count"), rows=rows)],
        warnings=[Warn(code="odd-thing", message="look here")],
    )  # fmt: skip
    print_result(result, out, err)
    assert out.getvalue().splitlines() == [
        "heading",
        f"{'name':<300}  count",
        f"{'a' * 300}      7",
        f"{'b':<300}   1234",
    ]
    assert err.getvalue() == "warning[odd-thing]: look here\n"


def test_what_names_hold_cannot_steer_a_terminal() -> None:
    """Escape sequences from labels, keys and e-mails are spelled out; line breaks stay in cells."""
    out, err = StringIO(), StringIO()
    table = Table(columns=("label", "who"), rows=[("a\x1b[31mred", "x\ny\x9b2J")])
    warning = Warn(code="odd", message="\x1b]0;title\x07")
    print_result(Result(data={}, body=["\x1b[2J", table], warnings=[warning]), out, err)
    print_error(
        NotFoundError("gone", "no \x1b[2Jkey", where=(("key", "\x08"),), unchanged="all", hint="x"),
        err,
    )
    shown = out.getvalue() + err.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert "\\x1b[31mred" in shown
    assert "x\\x0ay" in shown


def test_names_beyond_ascii_are_shown() -> None:
    """Wide characters count two columns; what no encoding holds is spelled out."""
    out = StringIO()
    table = Table(columns=("label", "n"), rows=[("チーズ", 1), ("käse", 2)])
    print_result(Result(data={}, body=[table, "\udcff"]), out, StringIO())
    assert out.getvalue().splitlines() == [
        "label   n",
        "チーズ  1",
        "käse    2",
        "\\udcff",
    ]


@contextmanager
def _terminal() -> Generator[tuple[TextIO, Callable[[], str]]]:
    """A stream that is a terminal, and what is on its screen: the last state of each line."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:

        def screen() -> str:
            stream.flush()
            shown = b""
            # A terminal gives at most 4 KiB a read.
            while select.select([ours], [], [], 0)[0]:
                shown += _read(ours)
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode().replace("\r\n", "\n"))
            return "\n".join(line.rpartition("\r")[2] for line in plain.split("\n"))

        yield stream, screen
    os.close(ours)


def test_bars_end_with_what_was_counted() -> None:
    """A total that was a guess gives way to the count; a phase of unknown length shows one, too."""
    with _terminal() as (stream, screen):
        narrator = reporter(stream, quiet=False)
        for done, total in ((3, 3), (2, 3), (0, 0), (250, None), (0, None)):
            with narrator.phase(f"doing {done}", total) as phase:
                phase.advance(done)
        narrator.note("lakeFS moved")
        lines = screen().splitlines()
    counts = [re.sub(r"[━╸╺]", "", line).split()[:-1] for line in lines[:5]]
    assert counts == [
        ["✓", "doing", "3", "3/3"],
        ["✓", "doing", "2", "2/2"],
        ["✓", "doing", "0", "0/0"],
        ["✓", "doing", "250", "250"],
        ["✓", "doing", "0", "0"],
    ]
    assert lines[5] == "lakeFS moved"


def test_a_bar_that_was_broken_off_is_not_shown_as_done() -> None:
    """It stays where it was when the error came."""
    with _terminal() as (stream, screen):
        with suppress(KeyError), reporter(stream, quiet=False).phase("uploading", 10) as phase:
            phase.advance(3)
            raise KeyError
        shown = screen()
    assert "3/10" in shown
    assert "✓" not in shown


def test_a_phase_is_one_line_where_there_is_no_terminal() -> None:
    """With its count and its time, and the notes between."""
    stream = StringIO()
    narrator = reporter(stream, quiet=False)
    with narrator.phase("uploading pictures", 3) as phase:
        phase.advance()
        phase.advance(2)
    narrator.note("lakeFS moved")
    with narrator.phase("waiting"):
        pass
    lines = stream.getvalue().splitlines()
    assert re.fullmatch(r"uploading pictures: 3 \(\d+\.\d s\)", lines[0])
    assert lines[1] == "lakeFS moved"
    assert re.fullmatch(r"waiting: \(\d+\.\d s\)", lines[2])


def test_quiet_says_nothing() -> None:
    """Neither phases nor notes."""
    stream = StringIO()
    narrator = reporter(stream, quiet=True)
    with narrator.phase("uploading", 3) as phase:
        phase.advance(3)
    narrator.note("lakeFS moved")
    assert stream.getvalue() == ""
