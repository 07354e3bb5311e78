"""What an invariant is, and questions many of them ask.

An invariant is a generator over a recording: it yields a sentence for each thing that breaks it.
It must hold for every setting. Owns their list; the modules beside this one own the invariants.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast

from tests.infra.answers import Wire
from tests.infra.recording import PULUMI_PROJECT, Recorded, Resource

Invariant: TypeAlias = Callable[[Recorded], Iterator[str]]

INVARIANTS: dict[str, Invariant] = {}


def invariant(check: Invariant) -> Invariant:
    """Add an invariant to the list."""
    assert check.__name__ not in INVARIANTS, check.__name__
    INVARIANTS[check.__name__] = check
    return check


def broken(recorded: Recorded) -> Mapping[str, Sequence[str]]:
    """The invariants that do not hold, each with what breaks it."""
    found = {name: list(check(recorded)) for name, check in INVARIANTS.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def setting(recorded: Recorded, key: str) -> str:
    """A configuration value as text, by its key in Pulumi.yaml."""
    return recorded.config[f"{PULUMI_PROJECT}:{key}"]


def is_set(recorded: Recorded, key: str) -> bool:
    """Whether a yes-or-no setting is on."""
    return setting(recorded, key) == "true"


def called(resource: Resource) -> str:
    """How a sentence names a resource."""
    return f"{resource.type.rpartition(':')[2]} {resource.name}"


def unlike(resource: Resource, expected: Mapping[str, Wire]) -> Iterator[str]:
    """A sentence for each input, by dotted path, that is not as expected."""
    for path, value in expected.items():
        if resource.at(path) != value:
            yield f"{called(resource)}: {path} is {resource.at(path)!r} and not {value!r}"


def cloud(recorded: Recorded) -> Sequence[Resource]:
    """What is declared in Google Cloud."""
    return [each for each in recorded.resources if each.type.startswith("gcp:")]


def kubernetes(recorded: Recorded, kind: str = "") -> Sequence[Resource]:
    """The Kubernetes objects, of one kind if asked."""
    return [
        each
        for each in recorded.resources
        if each.type.startswith("kubernetes:") and (not kind or each.inputs.get("kind") == kind)
    ]


def waited_for(recorded: Recorded, resource: Resource) -> frozenset[str]:
    """URNs of all a resource waits for, directly or not."""
    by_urn = {each.urn: each for each in recorded.resources}
    found: set[str] = set()
    pending = [resource.urn]
    while pending:
        each = by_urn.get(pending.pop())
        if each is not None:
            named = {*each.depends_on, *([each.provider] if each.provider else [])}
            pending += named - found
            found |= named
    return frozenset(found)


def texts(value: Wire, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, keys of tables too, with where it is."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in cast("dict[str, Wire]", value).items():
            yield f"{path}.{key}" if path else key, key
            yield from texts(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, part in enumerate(cast("list[Wire]", value)):
            yield from texts(part, f"{path}[{index}]")
