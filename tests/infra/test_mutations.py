"""Each invariant notices when its line is broken: the proof that the proof is one."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.infra.invariants.every import INVARIANTS
from tests.infra.mutants import StaleMutationError, apply, outcomes
from tests.infra.mutations.every import MUTATIONS
from tests.laws import note

_UNBROKEN = replace(MUTATIONS[0], new=MUTATIONS[0].old)


def test_every_broken_line_is_noticed() -> None:
    """By the very invariant that is there for it; and every invariant notices something."""
    unbroken, *found = outcomes([_UNBROKEN, *MUTATIONS])
    assert not unbroken.broken, "the copy itself is whole"
    assert not unbroken.refused

    unnoticed = [
        f"{mutation.file}: {mutation.old!r} -> {mutation.new!r}: {mutation.caught_by} is silent; "
        f"noticed by {[*became.broken]} {became.refused[:200]}"
        for mutation, became in zip(MUTATIONS, found, strict=True)
        if not became.is_caught_by(mutation.caught_by)
    ]
    assert not unnoticed, "\n".join(unnoticed)
    note("infra mutations", f"{len(MUTATIONS)} broken lines, each noticed by the invariant meant")


def test_every_invariant_has_a_line_that_breaks_it() -> None:
    tried = Counter(mutation.caught_by for mutation in MUTATIONS)
    assert not INVARIANTS.keys() - tried.keys()
    assert not tried.keys() - INVARIANTS.keys() - {"refused"}


def test_a_mutation_that_no_longer_applies_is_an_error(tmp_path: Path) -> None:
    stale = replace(MUTATIONS[0], old="no such line in any program")
    (tmp_path / "infra").mkdir()
    (tmp_path / stale.file).write_text("another program\n")
    with pytest.raises(StaleMutationError, match="no such line"):
        apply(stale, tmp_path)
