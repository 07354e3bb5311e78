"""What a mutation is: one line of infra/ or k8s/, broken in one way."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One line, broken.

    Attributes:
        file: below the repository's root.
        old: what the file holds exactly once.
        new: what stands there instead.
        caught_by: the invariant that must notice.
        scenario: settings of tests/infra/scenarios.py under which it shows.
    """

    file: str
    old: str
    new: str
    caught_by: str
    scenario: str = "prod"


Row = tuple[str, str, str]


def in_file(file: str, *rows: Row, scenario: str = "prod") -> Sequence[Mutation]:
    """Mutations of one file, each by what stands there, what shall, and who must notice."""
    return [
        Mutation(file=file, old=old, new=new, caught_by=caught_by, scenario=scenario)
        for old, new, caught_by in rows
    ]
