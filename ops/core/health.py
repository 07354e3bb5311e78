"""What a check-up finds, and what can be done about it.

Owns verdicts, the order of repairs, and which of several faults is to be mended first. Looks at
nothing itself (ops/runner/doctor.py, ops/cli/machine.py) and mends nothing (ops/runner/repair.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ops.core.records import Json
from ops.errors import OpsError


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class RepairKind(StrEnum):
    """What can be mended without touching a label, in the order it must be: each needs the former.

    Nothing merges into a main with something staged on it, nothing at all is written where lakeFS
    cannot read its hooks, and a gate comes back by a merge.
    """

    MAIN = "main"
    HOOKS = "hooks"
    GATE = "gate"
    PROTECTION = "protection"
    TAG = "tag"
    BRANCH = "branch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One thing that can be mended: what is done, in words, and to which tag or branch."""

    kind: RepairKind
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """How one check came out.

    Attributes:
        name: what was looked at.
        message: what was seen, in one line.
        remedy: what to type, where something is wrong.
        error: of a failure: its code and class.
        repairs: what would mend it.
    """

    name: str
    verdict: Verdict
    message: str
    remedy: str = ""
    error: OpsError | None = None
    repairs: tuple[Repair, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """The diagnosis for programs."""
        return {
            "check": self.name,
            "verdict": self.verdict.value,
            "message": self.message,
            "remedy": self.remedy,
            "code": self.error.code if self.error else None,
            "repairs": [repair.text for repair in self.repairs],
        }


def healthy(name: str, message: str) -> Diagnosis:
    """A check that found all well."""
    return Diagnosis(name=name, verdict=Verdict.OK, message=message)


def suspect(name: str, message: str, *, remedy: str, repairs: tuple[Repair, ...] = ()) -> Diagnosis:
    """A check that found something to know; the work goes on without it being mended."""
    return Diagnosis(
        name=name, verdict=Verdict.WARN, message=message, remedy=remedy, repairs=repairs
    )


def failed(name: str, error: OpsError, repairs: tuple[Repair, ...] = ()) -> Diagnosis:
    """A check that found a fault, as the error says it."""
    return Diagnosis(
        name=name,
        verdict=Verdict.FAIL,
        message=error.message,
        remedy=error.hint,
        error=error,
        repairs=repairs,
    )


def skipped(name: str, reason: str) -> Diagnosis:
    """A check that could not be made, and why."""
    return Diagnosis(name=name, verdict=Verdict.SKIPPED, message=reason)


def plan_repairs(diagnoses: Iterable[Diagnosis]) -> tuple[Repair, ...]:
    """Every repair that was found, once, in the order in which they must be made."""
    order = list(RepairKind)
    found = dict.fromkeys(repair for one in diagnoses for repair in one.repairs)
    return tuple(sorted(found, key=lambda repair: order.index(repair.kind)))


def worst(diagnoses: Iterable[Diagnosis]) -> OpsError | None:
    """The fault to mend first, or None: settings, then access, then what must run, then the rest.

    Where two are of one class, the first one found.
    """
    errors = [one.error for one in diagnoses if one.error is not None]
    return min(errors, key=lambda error: _GRAVITY.get(error.exit_code, len(_GRAVITY)), default=None)


_GRAVITY = {8: 0, 6: 1, 7: 2, 3: 3, 9: 4, 4: 5, 5: 6, 10: 7}
"""Exit codes, the gravest first: wrong settings make everything else look wrong."""
