"""The plain part of YAML: what every reader of YAML understands alike.

Block mappings and sequences, `[a, b]`, texts (quoted or not), whole numbers, true and false, and
comments. Owns reading that, strictly: anything else (anchors, tags, folded texts, tabs, other
numbers, a bare `yes`) is refused rather than guessed, because two readers may guess differently.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from ops.core.documents import Source
from ops.core.records import Json

_MOST_LEVELS = 16
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w.-]*):(?: +(?P<value>.+))?", re.ASCII)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_QUOTED = re.compile(r"\"[^\"\\\n]*\"|'[^'\n]*'")
# Texts that some readers take for something else: numbers, times, null, other words for true.
_PLAIN = re.compile(r"[A-Za-z_/][^\x00-\x1f\x7f]*")
_WORDS = frozenset({"yes", "no", "on", "off", "null", "y", "n", "nan", "inf", "true", "false"})
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str


def read_plain_yaml(data: bytes, source: Source) -> Json:
    """The value of a document in plain YAML.

    Raises:
        InvalidDataError: not UTF-8, or anything beyond plain YAML; the error names the line.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        source.refuse("", f"is not UTF-8 (byte {error.start})")
    reader = _Reader(_lines(text, source), source)
    value = reader.block(0)
    if (line := reader.next) is not None:
        reader.refuse(line, "stands further left or right than what it belongs to")
    return value


def _lines(text: str, source: Source) -> list[_Line]:
    found: list[_Line] = []
    for number, whole in enumerate(text.split("\n"), start=1):
        said = whole.rstrip(" \r") if _is_quoted(whole) else _COMMENT.sub("", whole).rstrip(" \r")
        if "\t" in said:
            source.refuse(f"line {number}", "holds a tab; indent with spaces")
        if said.strip():
            stripped = said.lstrip(" ")
            found.append(_Line(number, len(said) - len(stripped), stripped))
    return found


def _is_quoted(line: str) -> bool:
    return bool(re.search(r"[:,\[-] *[\"'].*#.*[\"'] *[,\]]?", line))


class _Reader:
    """Reads lines one by one, a block at a time."""

    def __init__(self, lines: Sequence[_Line], source: Source) -> None:
        self._lines = lines
        self._place = 0
        self._source = source

    @property
    def next(self) -> _Line | None:
        return self._lines[self._place] if self._place < len(self._lines) else None

    def refuse(self, line: _Line | None, problem: str) -> NoReturn:
        self._source.refuse(f"line {line.number}" if line else "", problem)

    def block(self, level: int) -> Json:
        """The mapping or sequence that starts at the next line."""
        line = self.next
        if line is None:
            self.refuse(line, "is empty")
        if level > _MOST_LEVELS:
            self.refuse(line, "is nested too deeply")
        is_sequence = line.text == "-" or line.text.startswith("- ")
        return self._sequence(line, level) if is_sequence else self._mapping(line, level)

    def _mapping(self, first: _Line, level: int) -> Json:
        found: dict[str, Json] = {}
        while (line := self.next) is not None and line.indent == first.indent:
            match = _KEY.fullmatch(line.text)
            if match is None:
                self.refuse(line, "is no `name: value`")
            if match["key"] in found:
                self.refuse(line, f"says {match['key']!r} a second time")
            self._place += 1
            found[match["key"]] = (
                self._inner(line, level)
                if match["value"] is None
                else self._scalar(match["value"], line)
            )
        return found

    def _inner(self, above: _Line, level: int) -> Json:
        """What stands below a name; a sequence may stand as far left as the name."""
        line = self.next
        if line is not None and line.indent > above.indent:
            return self.block(level + 1)
        if line is not None and line.indent == above.indent and line.text.startswith("- "):
            return self.block(level + 1)
        return None

    def _sequence(self, first: _Line, level: int) -> Json:
        found: list[Json] = []
        while (line := self.next) is not None and line.indent == first.indent:
            if not line.text.startswith("- "):
                break
            rest = line.text[1:].lstrip(" ")
            if _KEY.fullmatch(rest):
                # `- name: value` starts a mapping whose names stand where this one does.
                indent = line.indent + len(line.text) - len(rest)
                self._lines = [
                    *self._lines[: self._place],
                    _Line(line.number, indent, rest),
                    *self._lines[self._place + 1 :],
                ]
                found.append(self.block(level + 1))
            else:
                self._place += 1
                found.append(self._scalar(rest, line))
        return found

    def _scalar(self, text: str, line: _Line) -> Json:
        if text.startswith("["):
            inner = text[1:-1].strip()
            if not text.endswith("]") or "[" in inner:
                self.refuse(line, "holds an array that is not closed, or one within another")
            return [self._scalar(part.strip(), line) for part in inner.split(",")] if inner else []
        if text in {"true", "false"}:
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _QUOTED.fullmatch(text):
            return text[1:-1]
        is_odd = ": " in text or text.endswith(":") or text.lower() in _WORDS
        if is_odd or not _PLAIN.fullmatch(text):
            self.refuse(line, f"holds {text!r}, which is not plain YAML; put a text in quotes")
        return text
