"""Results as Markdown, to be pasted where people review: GitHub's dialect.

Owns the escaping: names from elsewhere are shown as they are and mark nothing up.
"""

import re

from ops.cli.output import Table

_MARKS = re.compile(r"([\\`*_\[\]<>|~#])")
_BREAKS = re.compile(r"\s*[\r\n]+\s*")


def paragraph(text: str) -> str:
    """One line of plain text."""
    return _MARKS.sub(r"\\\1", _BREAKS.sub(" ", text))


def link(text: str, address: str) -> str:
    """A link; the address is quoted already, as an address is."""
    return f"[{paragraph(text)}]({address})"


def table(found: Table) -> str:
    """A table; columns of numbers are right-aligned."""
    rows = [[paragraph(str(cell)) for cell in row] for row in found.rows]
    columns = zip(*found.rows, strict=True)
    marks = ["---:" if all(isinstance(one, int) for one in column) else "---" for column in columns]
    lines = [[paragraph(name) for name in found.columns], marks, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(title: str, note: str, found: Table) -> str:
    """A table below its title and a remark, each where there is one."""
    parts = [f"**{paragraph(title)}**" if title else "", paragraph(note) if note else ""]
    return "\n\n".join([part for part in parts if part] + ([table(found)] if found.rows else []))


def folded(title: str, found: Table) -> str:
    """A table folded up until somebody wants it: for what is long."""
    summary = f"<summary>{len(found.rows)} {paragraph(title)}</summary>"
    return f"<details>{summary}\n\n{table(found)}\n\n</details>"
