"""The files of this tree, for tests that look at them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def tracked() -> tuple[Path, ...]:
    """The files that belong to the tree, new ones too; none git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return tuple(path for name in sorted(set(listed)) if (path := ROOT / name).is_file())


def named(path: Path) -> str:
    """A path as people write it."""
    return path.relative_to(ROOT).as_posix()


def documents() -> list[Path]:
    """The Markdown files."""
    return [path for path in tracked() if path.suffix == ".md"]


def modules(folder: str = "") -> list[Path]:
    """The Python files below a folder."""
    return [p for p in tracked() if p.suffix == ".py" and named(p).startswith(folder)]


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text("utf-8"), named(path))


def failing(found: list[str]) -> str:
    """What a failed test shows: a line each."""
    return "\n".join(found)
