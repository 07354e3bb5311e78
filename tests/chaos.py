"""`python -m tests.chaos`: what the tests of crashes do, for as long as is asked for.

Rounds on servers of its own, in each of which something goes wrong; all of them must end as one in
which nothing did. Prints the seeds, what it did, and for each failure how to do it again. Owns how
much is done; what goes wrong and how it is judged is in tests/kills.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import NoReturn

from ops.errors import OpsError
from ops.local.home import Service
from tests.kills.campaign import (
    Clean,
    Mischief,
    Tally,
    doubling,
    every_kill,
    flaky,
    in_words,
    killing,
    killing_servers,
    prepared,
    random_kills,
    tell_all,
    tell_cleanly,
)
from tests.kills.long_round import sync_through_cuts
from tests.kills.servers import Servers, own_servers
from tests.machine import machine
from tests.proxy import Fate

_MOST_KILLS = 4
_MOVES = 30
"""Most moves of a play in memory."""
_CUT_S, _CHUNK_S, _EACH = 30.0, 12.0, 10

Named = tuple[str, Mischief]


@dataclass(kw_only=True)
class Run:
    """One run of it: the servers, what a clean round comes to, and what was done so far."""

    servers: Servers
    directory: Path
    clean: Clean
    tally: Tally
    started: float
    batch: int

    def tell(self, named: Sequence[Named], *, crew: int) -> None:
        """Tell a round for each mischief, and take down what came of it."""
        stories = prepared(self.servers.connection, self.directory, len(named))
        disturbed = [(name, s, what) for (name, what), s in zip(named, stories, strict=True)]
        tally = tell_all(disturbed, self.clean, crew=crew)
        for failure in tally.failures:
            say(f"FAILED: {failure}\n")
        self.tally.add(tally)
        minutes = (time.monotonic() - self.started) / 60
        say(f"{minutes:6.1f} min  {self.tally.counts['rounds']} rounds, {self.kill_count} kills")

    def until(self, is_enough: Callable[[], bool], endless: Iterator[Named], *, crew: int) -> None:
        """Tell rounds until it is enough, setting several up at the same time."""
        while not is_enough():
            self.tell(list(islice(endless, self.batch)), crew=crew)

    @property
    def kill_count(self) -> int:
        """SIGKILLs of ops so far."""
        return self.count_of("kills of start", "kills of sync", "kills of finish")

    def count_of(self, *names: str) -> int:
        """What was counted under these names."""
        return sum(self.tally.counts[name] for name in names)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def kills(run: Run, asked: argparse.Namespace) -> Iterator[Named]:
    """Every request of every command once, before and after; then several at random, endlessly."""
    for points in every_kill(run.clean):
        yield in_words(points), killing(points)
    for seed in count(asked.seed):
        points = random_kills(run.clean, seed, most=_MOST_KILLS)
        yield f"seed {seed}: {in_words(points)}", killing(points)


def server_kills(run: Run, asked: argparse.Namespace) -> Iterator[Named]:
    """LakeFS three times as often: Label Studio takes seconds to be up again."""
    for seed in count(asked.seed):
        service = Service.LABEL_STUDIO if seed % 4 == 0 else Service.LAKEFS
        name = f"{service.display_name} killed, seed {seed}"
        yield name, killing_servers(run.servers, run.clean, service, seed=seed, strikes=2)


def networks(asked: argparse.Namespace) -> Iterator[Named]:
    """A flaky network each, and one in eight that doubles everything."""
    for seed in count(asked.seed):
        if seed % 8 == 0:
            yield "everything twice", doubling((Fate.TWICE, Fate.TWICE_FIRST))
        else:
            yield f"flaky network, seed {seed}", flaky(seed)


def main() -> int:
    """Do what is asked for; 1 where anything failed."""
    asked = _asked()
    # Else servers would be left behind.
    signal.signal(signal.SIGTERM, _stop)
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        directory = Path(scratch)
        with own_servers(directory / "home") as servers:
            clean = tell_cleanly(servers.connection, directory)
            run = Run(
                servers=servers,
                directory=directory,
                clean=clean,
                tally=Tally(),
                started=time.monotonic(),
                batch=asked.batch,
            )
            _perform(run, asked)
    return _summary(run)


def _stop(*_: object) -> NoReturn:
    sys.exit(1)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="SIGKILLs of ops, at least")
    parser.add_argument("--server-kills", type=int, default=60, help="SIGKILLs of servers")
    parser.add_argument("--networks", type=int, default=48, help="rounds through bad networks")
    parser.add_argument("--annotations", type=int, default=20_000, help="through a cutting network")
    parser.add_argument("--plays", type=int, default=2_000, help="of the state machine, in memory")
    parser.add_argument("--seed", type=int, default=1, help="the first of the seeds")
    parser.add_argument("--batch", type=int, default=16, help="rounds set up at the same time")
    parser.add_argument("--crew", type=int, default=2, help="rounds told at the same time")
    return parser.parse_args()


def _perform(run: Run, asked: argparse.Namespace) -> None:
    requests = ", ".join(f"{name[1]} {len(seen)}" for name, seen in run.clean.requests.items())
    say(f"seeds from {asked.seed}; requests of a clean round: {requests}")
    run.until(lambda: run.kill_count >= asked.kills, kills(run, asked), crew=asked.crew)
    run.until(
        lambda: run.servers.kill_count >= asked.server_kills, server_kills(run, asked), crew=1
    )
    before = run.tally.counts["rounds"]
    run.until(
        lambda: run.tally.counts["rounds"] - before >= asked.networks,
        networks(asked),
        crew=asked.crew,
    )
    if asked.annotations:
        _cut(run, asked.annotations)
    if asked.plays:
        _play(run, asked.plays)


def _cut(run: Run, annotation_count: int) -> None:
    directory = run.directory / "many"
    try:
        arrived = sync_through_cuts(
            run.servers.connection,
            directory,
            task_count=max(1, annotation_count // _EACH),
            each=_EACH,
            cut_after_s=_CUT_S,
            chunk_s=_CHUNK_S,
        )
    except AssertionError as error:
        run.tally.failures.append(f"{annotation_count} annotations through cuts: {error}")
        return
    run.tally.counts["annotations through a network that cuts at 30 s"] = arrived.annotation_count
    run.tally.counts["answers cut off"] = arrived.cut_count
    run.tally.counts["seconds a whole export would take there"] = round(arrived.whole_export_s)


def _play(run: Run, play_count: int) -> None:
    """Whatever people and verbs do, on servers in memory; a failure is shrunk."""
    try:
        say(machine.run(play_count, _MOVES))
    except (AssertionError, OpsError) as error:
        how = "\n".join(getattr(error, "__notes__", ()))
        run.tally.failures.append(f"a play in memory: {error!r}\n{how}")
    run.tally.counts["plays in memory"] += play_count


def _summary(run: Run) -> int:
    width = max(map(len, run.tally.counts), default=0)
    for name, number in sorted(run.tally.counts.items()):
        say(f"{name:<{width}}  {number:>7}")
    say(f"SIGKILLs of ops {run.kill_count}, of servers {run.servers.kill_count}")
    for failure in run.tally.failures:
        say(f"FAILED: {failure.partition(chr(10))[0]}")
    say("FAILED" if run.tally.failures else "every round ended as one that nobody disturbed")
    return 1 if run.tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
