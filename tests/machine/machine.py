"""The Hypothesis state machine of a play, and the many examples of it.

Each rule is a move of driver.py, after some acts of annotators; every law is held after each.
`run` plays more of it than a test can, for `make chaos`.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar, TypeAlias

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)

from tests.machine.driver import Driver, Fault, Numbers
from tests.machine.stage import Stage, fake_stage

RIVALS = (*("answer", "change", "sync", "rebase", "finish", "start", "picture", "revert", "abort"),)

Acts: TypeAlias = list[tuple[bool, Numbers]]

numbers = st.tuples(*(st.integers(0, 11) for _ in range(3)))
acts = st.lists(st.tuples(st.booleans(), numbers), max_size=3)
faults = st.none() | st.builds(
    Fault,
    at=st.integers(1, 110),
    rival=st.none() | st.tuples(st.sampled_from(RIVALS), numbers),
)


class Play(RuleBasedStateMachine):
    """A play on servers in memory."""

    totals: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        """Set up a repository."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.driver = Driver(stage=self.stage(Path(self._folder.name)), say=note)

    def stage(self, folder: Path) -> Stage:
        """The servers."""
        return fake_stage(folder)

    @rule(acts=acts)
    def work(self, acts: Acts) -> None:
        """Annotators at work."""
        self.driver.work(*acts)

    @rule(acts=acts, n=numbers, fault=faults)
    def start(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Start a round."""
        self.driver.work(*acts)
        self.driver.start(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def sync(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Sync a round."""
        self.driver.work(*acts)
        self.driver.sync(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def rebase(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Take main in."""
        self.driver.work(*acts)
        self.driver.rebase(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def finish(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Finish a round."""
        self.driver.work(*acts)
        self.driver.finish(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def abort(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Abort a round."""
        self.driver.work(*acts)
        self.driver.abort(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def picture(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Add or replace a picture."""
        self.driver.work(*acts)
        self.driver.picture(*n, fault=fault)

    @rule(acts=acts, n=numbers, fault=faults)
    def revert(self, acts: Acts, n: Numbers, fault: Fault | None) -> None:
        """Go back to a version."""
        self.driver.work(*acts)
        self.driver.revert(*n, fault=fault)

    @rule(n=numbers)
    def again(self, n: Numbers) -> None:
        """Run again what was killed."""
        self.driver.again(*n)

    @invariant()
    def laws_hold(self) -> None:
        """Every law, after every step."""
        self.driver.check()

    def teardown(self) -> None:
        """Bring everything to its end, where every law holds once more."""
        try:
            if self.driver.is_whole:
                self.driver.end()
            self.totals.update(self.driver.counts + self.driver.laws.counts)
        finally:
            self._folder.cleanup()


def play(machine: type[Play], examples: int, steps: int, *, fixed: bool = False) -> Counter[str]:
    """Play many times, and give what was done; an example that breaks a law is shrunk and shown.

    Args:
        machine: on which servers.
        examples: how many plays.
        steps: most moves of each.
        fixed: always the same plays, and none is shrunk.
    """
    machine.totals = Counter()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            derandomize=fixed,
            database=None,
            phases=[Phase.generate] if fixed else [Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    return machine.totals


def in_words(totals: Counter[str]) -> str:
    """What was done, most of it first."""
    return ", ".join(f"{count} {what}" for what, count in totals.most_common())


def run(examples: int, steps: int) -> str:
    """Play on servers in memory: so many plays, of so many moves at most; what was done."""
    return f"{examples} plays: {in_words(play(Play, examples, steps))}"
