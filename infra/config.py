"""The stack's configuration, read and checked before anything is declared.

Owns reading `pulumi.Config` into Settings: every problem is collected and reported at once, each
with its reason and what to type. Reads nothing from the environment. Does not hold the rules
themselves (infra/rules.py).
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, cast

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from infra.rules import accepted, problems
from infra.rules.problem import Problem
from infra.settings import KEYS, ClusterMode, Database, ReleaseChannel, Settings, default_of

__all__ = [
    "ClusterMode",
    "Database",
    "Problem",
    "ReleaseChannel",
    "Settings",
    "SettingsError",
    "load",
]

_TYPE_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    tuple: 'a list of texts, as ["one", "two"]',
}


class SettingsError(pulumi.RunError):
    """The configuration cannot stand. Pulumi prints it without a stack trace.

    Attributes:
        problems: what is wrong, in the order of the keys in Pulumi.yaml.
    """

    def __init__(self, stack: str, found: tuple[Problem, ...]) -> None:
        """Keep the problems, and write them out a paragraph each."""
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        heading = f"the configuration of stack {stack!r} has {count}; nothing was changed"
        super().__init__("\n\n".join([heading, *(each.text() for each in found)]))
        self.problems = found


def load() -> Settings:
    """The settings of the running program's stack; asks nothing of Google Cloud.

    What is unsafe and accepted is told as a warning each time.

    Raises:
        SettingsError: a setting is missing, misspelled, not of its type, impossible, or unsafe
            without being accepted by name.
    """
    stack = pulumi.get_stack()
    values: dict[str, object] = {"stack": stack}
    found = [*_unknown_keys()]
    for field, full_key in _full_keys().items():
        raw = pulumi.Config(full_key[0]).get(full_key[1])
        if raw is None:
            continue
        try:
            values[field] = _parsed(raw, default_of(field))
        except ValueError as error:
            found.append(_ill_typed(full_key, raw, str(error)))
    values.setdefault("project", "")
    values.setdefault("region", "")
    settings = Settings(**cast("dict[str, Any]", values))
    # A rule that looks at a value nobody could read would speak of the default instead.
    unreadable = {key for each in found for key in each.keys}
    found += (each for each in problems(settings) if not unreadable & {*each.keys})
    if found:
        raise SettingsError(stack, tuple(found))
    for each in accepted(settings):
        pulumi.log.warn(f"accepted, {each.code}: {each.reason}")
    return settings


def _full_keys() -> Mapping[str, tuple[str, str]]:
    own = {field: (pulumi.get_project(), key) for key, field in KEYS.items()}
    return {"project": ("gcp", "project"), "region": ("gcp", "region"), **own}


def _parsed(raw: object, default: object) -> object:
    """A value as the type its default has; the engine hands over text, tests may not.

    Raises:
        ValueError: it is no such value; the message says what would be.
    """
    if isinstance(default, StrEnum):
        return _choice(raw, default)
    kind = type(default)
    value = raw if kind is str or not isinstance(raw, str) else _json(raw)
    if isinstance(value, list):
        value = tuple(cast("list[object]", value))
    if type(value) is not kind or not _texts_only(value):
        raise ValueError(f"it must be {_TYPE_NAMES[kind]}")
    return value


def _choice(raw: object, default: StrEnum) -> StrEnum:
    try:
        return type(default)(raw)
    except ValueError:
        raise ValueError(f"it must be one of: {', '.join(type(default))}") from None


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _texts_only(value: object) -> bool:
    if not isinstance(value, tuple):
        return True
    return all(isinstance(each, str) for each in cast("tuple[object, ...]", value))


def _ill_typed(full_key: tuple[str, str], raw: object, reason: str) -> Problem:
    key = full_key[1] if full_key[0] != "gcp" else ":".join(full_key)
    return Problem(
        code="unreadable-value",
        keys=(key,),
        reason=f"{raw!r} cannot be read: {reason}",
        remedy=f"pulumi config set {key} VALUE, or take it out for the default",
    )


def _unknown_keys() -> Iterator[Problem]:
    """Keys of this program that it does not have: the engine lets a misspelled key pass unseen."""
    prefix = f"{pulumi.get_project()}:"
    given = {*CONFIG.get(), *get_config_env()}
    for full_key in sorted(each for each in given if each.startswith(prefix)):
        key = full_key.removeprefix(prefix)
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            yield Problem(
                code="unknown-key",
                keys=(key,),
                reason=f"there is no such setting{meant}; it would have no effect",
                remedy=f"pulumi config rm {key}",
            )
