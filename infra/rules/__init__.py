"""Which settings cannot be, and which go together badly, with reason and remedy.

Owns judgement on Settings alone: pure, no request. Does not know what Google charges or has quota
for, nor whether a zone, bucket, account or domain exists.

Three kinds. *Impossible*: Google would refuse it, or it would have no effect. *Unsafe*: it would
work and one day lose data or open a door; somebody may accept it by naming its code in `accept`.
An acceptance nothing needs any more is a problem itself, or it would silence the next one.
"""

from collections.abc import Iterator

from infra.rules import access, basics, data, ray
from infra.rules.problem import Problem, Rule
from infra.settings import Settings

RULES: tuple[Rule, ...] = (*basics.RULES, *data.RULES, *access.RULES, *ray.RULES)


def problems(settings: Settings) -> tuple[Problem, ...]:
    """All that is wrong and not accepted, rule by rule; empty for settings that can stand."""
    found = _found(settings)
    unsafe = {each.code for each in found if each.is_acceptable}
    kept = (each for each in found if each.code not in unsafe & {*settings.accept})
    return (*kept, *_unneeded(settings, unsafe))


def accepted(settings: Settings) -> tuple[Problem, ...]:
    """What is unsafe and somebody has decided to live with: to be told at every update."""
    found = _found(settings)
    return tuple(each for each in found if each.is_acceptable and each.code in settings.accept)


def _found(settings: Settings) -> tuple[Problem, ...]:
    return tuple(each for rule in RULES for each in rule(settings))


def _unneeded(settings: Settings, unsafe: set[str]) -> Iterator[Problem]:
    for code in settings.accept:
        if code not in unsafe:
            yield Problem(
                code="nothing-to-accept",
                keys=("accept",),
                reason=f"{code} is accepted, and these settings do not need it",
                remedy=f"take {code} out of accept: pulumi config rm --path 'accept[0]', or edit",
            )
