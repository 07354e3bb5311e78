"""What one task must be after a round was finished, said without merging.

`base` is its record where the round started, `own` what Label Studio held, `main` the record that
was on main, `after` the one that is there now. Who alone spoke is heard; where both spoke, nothing
either of them drew is lost, but where somebody said whose answer counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.machine.reading import Answers, Box, Said, Sheet

NOTHING: Answers = {}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One task of a finished round.

    Attributes:
        policy: whose answer counts.
        settled: the finish says that it was in conflict.
        held: why the finish quarantined it, if it did.
        shown: checksum of the picture the round showed.
        there: of the picture that is on main.
    """

    key: str
    base: Sheet | None
    own: Answers
    main: Sheet | None
    after: Sheet | None
    policy: str
    settled: bool
    held: str | None
    shown: str
    there: str | None

    @property
    def replaced(self) -> bool:
        """Main has another picture than the round showed."""
        return self.shown != self.there

    @property
    def befores(self) -> Answers:
        """The answers the round started from."""
        return self.base.answers if self.base else NOTHING

    @property
    def mains(self) -> Answers:
        """The answers on main."""
        return self.main.answers if self.main else NOTHING

    @property
    def afters(self) -> Answers:
        """The answers that are on main now."""
        return self.after.answers if self.after else NOTHING


def hold(case: Case) -> None:
    """Hold a task against the law."""
    if case.main is None and case.base is not None:
        _removed_on_main(case)
    else:
        _each_answer(case)
    _quarantine(case)
    _untouched(case)


def is_contested(base: Said | None, own: Said | None, main: Said | None) -> bool:
    """Both sides changed an answer, and not alike."""
    return base not in (own, main) and own != main


def _removed_on_main(case: Case) -> None:
    """A revert took the record away."""
    if not case.settled:
        assert case.own == case.befores, "main removed what the round changed, and nobody was asked"
        assert case.after is None, "what main removed came back"
    elif case.policy == "theirs":
        assert case.after is None, "theirs was to count"
    else:
        assert case.after is not None, "the round's answers are gone"
        assert case.afters == case.own, "the round's answers were to count"


def _each_answer(case: Case) -> None:
    assert case.after is not None, "the record is gone"
    contested: list[Said] = []
    for identity in case.befores.keys() | case.own.keys() | case.mains.keys():
        base, own, main = (side.get(identity) for side in (case.befores, case.own, case.mains))
        after = case.afters.get(identity)
        if is_contested(base, own, main):
            _contested(case, (base, own, main), after)
            contested += [main] if main and own else []
        elif main == base:
            assert after == own, f"{identity}: the round said {own}, main has {after}"
        else:
            assert after == main, f"{identity}: main said {main} and has {after} now"
    invented = case.afters.keys() - case.befores.keys() - case.own.keys() - case.mains.keys()
    for identity in invented:
        assert case.settled, f"{identity} was submitted by nobody"
        assert case.policy in {"both", "quarantine"}, f"{identity} is a second answer"
        assert case.afters[identity] in contested, f"{identity} was said by nobody"


_Triple = tuple[Said | None, Said | None, Said | None]


def _contested(case: Case, triple: _Triple, after: Said | None) -> None:
    """Both changed one answer."""
    base, own, main = triple
    if not case.settled:
        assert base, "two answers of one identity"
        assert own, "the round removed what main changed"
        assert main, "main removed what the round changed"
        assert after, "an answer both have is gone"
        assert base.skipped == own.skipped == main.skipped == after.skipped
        both = own.boxes & main.boxes & base.boxes
        merged = both | (own.boxes - base.boxes) | (main.boxes - base.boxes)
        assert after.boxes == merged, f"{sorted(after.boxes)} is not {sorted(merged)}"
        return
    if case.policy in {"both", "quarantine"}:
        if not (own and main):
            assert after == (own or main), "the answer that is left is gone"
            return
        if not _is_merged(triple, after):
            assert after == own, "the round's answer is gone"
            assert main in case.afters.values(), "main's answer is gone"
        return
    side = own if case.policy == "ours" else main
    if not (base and own and main) or base.skipped != own.skipped or base.skipped != main.skipped:
        assert after == side, f"{case.policy} was to count"
        return
    assert after, "an answer both have is gone"
    chosen = _by_region(side or base)
    regions = (_by_region(base), _by_region(own), _by_region(main))
    found = _by_region(after)
    for name in {*regions[0], *regions[1], *regions[2]}:
        before, mine, theirs = (side.get(name) for side in regions)
        if theirs in (before, mine):
            wanted = mine
        else:
            wanted = theirs if mine == before else chosen.get(name)
        assert found.get(name) == wanted, f"region {name} is {found.get(name)}, not {wanted}"
    assert found.keys() <= regions[1].keys() | regions[2].keys(), "a region nobody drew"


def _is_merged(triple: _Triple, after: Said | None) -> bool:
    """In a settled task this answer may be in no conflict: its regions went together."""
    base, own, main = triple
    if not (base and own and main and after) or len({one.skipped for one in triple if one}) > 1:
        return False
    regions = [_by_region(one) for one in (base, own, main)]
    names = {name for side in regions for name in side}
    if any(
        len({side.get(name) for side in regions}) > 1
        and regions[0].get(name) not in (regions[1].get(name), regions[2].get(name))
        and regions[1].get(name) != regions[2].get(name)
        for name in names
    ):
        return False
    kept = own.boxes & main.boxes & base.boxes
    return after.boxes == kept | (own.boxes - base.boxes) | (main.boxes - base.boxes)


def _by_region(said: Said) -> Mapping[str, Box]:
    return {box[0]: box for box in said.boxes}


def _quarantine(case: Case) -> None:
    if case.after is None:
        assert case.held is None, "held, and not there"
        return
    assert case.after.quarantined == (case.held is not None), f"held: {case.held}"
    if case.settled and case.policy == "quarantine":
        assert case.held == "conflict"
    elif case.replaced and case.afters and _is_about_shown(case):
        assert case.held == "picture-changed"
    elif case.held and not case.replaced:
        assert case.held == "undecided", case.held
        since = case.main and case.main.quarantined and not (case.base and case.base.quarantined)
        assert since or case.own == case.befores, "held as undecided, though somebody decided"


def _is_about_shown(case: Case) -> bool:
    """Whether the answers are about the picture that the round showed."""
    return case.own != case.befores or bool(case.main and case.main.checksum == case.shown)


def _untouched(case: Case) -> None:
    """Of what the round said nothing, main's bytes stay.

    A record without an answer is no more than the picture that was shown.
    """
    is_said = case.own != case.befores or case.replaced
    if case.main and case.after and case.afters and not is_said:
        assert case.after.data == case.main.data, "a record nobody touched has other bytes"
