"""Many rounds with something going wrong in each, held against one in which nothing did.

Owns where to strike and what is counted. The story itself is told by story.py.
"""

import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, TypeAlias

from ops.local import Connection
from ops.local.home import Service
from tests.kills.driver import Driver, Point, proxied
from tests.kills.servers import Servers
from tests.kills.story import COMMANDS, FINISH, START, SYNC, Ending, Story
from tests.proxy import Fate, Seen

Command: TypeAlias = tuple[str, ...]
Perform: TypeAlias = Callable[[Command], None]

CREW = 2
"""Rounds told at the same time."""
_PREPARED_AT_ONCE = 12
_LONGEST_PAUSE_S = 0.03


def verb(command: Command) -> str:
    """`start`, `sync` or `finish`."""
    return command[1]


@dataclass(frozen=True, kw_only=True)
class Told:
    """How a round went: what its sync and its finish left."""

    synced: Mapping[str, Any]
    ending: Ending


@dataclass(frozen=True, kw_only=True)
class Clean:
    """A round in which nothing went wrong, and the requests it took."""

    told: Told
    requests: Mapping[Command, Sequence[Seen]]

    def points(self, command: Command) -> Sequence[Point]:
        """Where to kill a command: at every request that differs from those beside it.

        Of requests in a row that only read, and of those of one kind in a row, which are under way
        together, the first and the last. Before and after in turn; after, where the next request
        changes something too: no state between two changes is left out.
        """
        runs = [list(run) for _, run in groupby(self.requests[command], key=_kind)]
        numbers = sorted({end.number for run in runs for end in (run[0], run[-1])})
        changes = {one.number for one in self.requests[command] if _kind(one) != _READING}
        return [
            Point(number=n, after=bool(turn % 2) or {n, n + 1} <= changes)
            for turn, n in enumerate(numbers)
        ]

    def first_change(self, command: Command) -> int:
        """The number of a command's first request that changes anything."""
        return next(seen.number for seen in self.requests[command] if _kind(seen) != _READING)


_READING = ("only reads",)


def _kind(seen: Seen) -> tuple[str, ...]:
    if seen.method == "GET" or seen.path.startswith("/api/token/"):
        return _READING
    return (seen.server, seen.method, seen.path)


@dataclass(kw_only=True)
class Tally:
    """What was done, and what went wrong that should not have."""

    counts: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])

    def add(self, other: "Tally") -> None:
        """Take another's figures in."""
        self.counts.update(other.counts)
        self.failures += other.failures


def tell(story: Story, perform: Perform) -> Told:
    """Tell the story with its commands performed in some way."""
    perform(START)
    story.check_started()
    story.annotate()
    perform(SYNC)
    synced = story.check_synced()
    story.annotate_more()
    perform(FINISH)
    return Told(synced=synced, ending=story.ending())


def tell_cleanly(servers: Connection, directory: Path) -> Clean:
    """Tell it with nothing going wrong."""
    story = Story(directory, servers)
    story.prepare()
    requests: dict[Command, Sequence[Seen]] = {}
    with proxied(servers) as proxy:
        driver = Driver(story.ops, proxy)

        def perform(command: Command) -> None:
            driver.undisturbed(command)
            requests[command] = tuple(proxy.seen)

        told = tell(story, perform)
    return Clean(told=told, requests=requests)


def prepared(servers: Connection, directory: Path, count: int) -> Sequence[Story]:
    """So many repositories, set up side by side: each waits for its protection to bite."""
    stories = [Story(directory, servers) for _ in range(count)]
    stories[0].prepare()
    with ThreadPoolExecutor(_PREPARED_AT_ONCE) as pool:
        list(pool.map(Story.prepare, stories[1:]))
    return stories


Mischief: TypeAlias = Callable[[Driver, Tally], Perform]
Disturbed: TypeAlias = tuple[str, Story, Mischief]


def tell_all(stories: Iterable[Disturbed], clean: Clean, *, crew: int = CREW) -> Tally:
    """Tell stories with mischief in them, and hold each against the clean one.

    Args:
        stories: each with a name that says how to do it again, and what goes wrong in it.
        clean: what they must come to.
        crew: how many are told at the same time.
    """
    total = Tally()
    with ThreadPoolExecutor(crew) as pool:
        for tally in pool.map(partial(_told, clean), stories):
            total.add(tally)
    return total


def _told(clean: Clean, disturbed: Disturbed) -> Tally:
    name, story, mischief = disturbed
    tally = Tally()
    with proxied(story.servers) as proxy:
        try:
            told = tell(story, mischief(Driver(story.ops, proxy), tally))
            assert told == clean.told, difference(told, clean.told)
        except AssertionError as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{story.ops.repository}, {Path(place.filename).name}:{place.lineno}"
            tally.failures.append(f"{name} in {where}: {error or place.line}")
    tally.counts["rounds"] += 1
    return tally


def difference(one: Told, other: Told) -> str:
    """What of two endings is not the same, for people."""
    pairs: list[tuple[str, object, object]] = [("synced records", one.synced, other.synced)]
    pairs += [
        (name, getattr(one.ending, name), getattr(other.ending, name))
        for name in Ending.__dataclass_fields__
    ]
    return "\n".join(
        f"{name}: {here!r}\n  instead of {there!r}" for name, here, there in pairs if here != there
    )


def killing(points: Mapping[Command, Sequence[Point]]) -> Mischief:
    """Kill each command at these points, one after the other, then let it be."""

    def mischief(driver: Driver, tally: Tally) -> Perform:
        def perform(command: Command) -> None:
            for point in points.get(command, ()):
                if driver.killed_at(point, command):
                    tally.counts[f"kills of {verb(command)}"] += 1
            driver.undisturbed(command)

        return perform

    return mischief


def one_kill_each(clean: Clean) -> Sequence[Mapping[Command, Sequence[Point]]]:
    """Every point of every command, over as few rounds as will do.

    A command killed before it changed anything has left nothing: it is killed once more.
    """
    rounds: list[dict[Command, Sequence[Point]]] = []
    for command in COMMANDS:
        points, first = clean.points(command), clean.first_change(command)
        early = [point for point in points if point.number < first]
        late = [point for point in points if point.number >= first]
        for turn, (one, other) in enumerate(zip_longest(early, late)):
            if turn == len(rounds):
                rounds.append({})
            rounds[turn][command] = [point for point in (one, other) if point is not None]
    return rounds


def every_kill(clean: Clean) -> Iterator[Mapping[Command, Sequence[Point]]]:
    """Each request of each command, before and after, one a command and round."""
    most = max(map(len, clean.requests.values()))
    for number in range(1, most + 1):
        for after in (False, True):
            yield {
                command: [Point(number=number, after=after)]
                for command, requests in clean.requests.items()
                if number <= len(requests)
            }


def in_words(points: Mapping[Command, Sequence[Point]]) -> str:
    """Where commands are killed, for people."""
    return ", ".join(f"{verb(command)} {at}" for command, ats in points.items() for at in ats)


def random_kills(clean: Clean, seed: int, *, most: int) -> Mapping[Command, Sequence[Point]]:
    """For one round: each command killed up to `most` times, anywhere."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    return {
        command: [
            Point(number=rng.randint(1, len(clean.requests[command])), after=rng.random() < 0.5)
            for _ in range(rng.randint(1, most))
        ]
        for command in COMMANDS
    }


def flaky(seed: int, *, resets: float = 0.10, doubles: float = 0.05) -> Mischief:
    """A network that loses and doubles requests; the commands are run as their exit codes say."""

    def mischief(driver: Driver, tally: Tally) -> Perform:
        rng = random.Random(seed)  # noqa: S311 - no secret

        def plan(_: Seen) -> Fate:
            tally.counts["requests through the flaky network"] += 1
            chance = rng.random()
            if chance < resets:
                tally.counts["resets"] += 1
                return rng.choice((Fate.RESET_BEFORE, Fate.RESET_AFTER))
            if chance < resets + doubles:
                tally.counts["doubles"] += 1
                return rng.choice((Fate.TWICE, Fate.TWICE_FIRST))
            return Fate.THROUGH

        def perform(command: Command) -> None:
            runs = driver.until_done(command, plan)
            tally.counts["runs through the flaky network"] += runs

        return perform

    return mischief


def doubling(answers: Sequence[Fate]) -> Mischief:
    """Every request is delivered twice; which answer is given goes round in turn."""

    def mischief(driver: Driver, tally: Tally) -> Perform:
        def plan(seen: Seen) -> Fate:
            tally.counts["doubles"] += 1
            return answers[seen.number % len(answers)]

        def perform(command: Command) -> None:
            driver.until_done(command, plan)

        return perform

    return mischief


def killing_servers(
    servers: Servers, clean: Clean, service: Service, *, seed: int, strikes: int
) -> Mischief:
    """A server is killed so often in each command, at its requests or in the middle of them."""

    def mischief(driver: Driver, tally: Tally) -> Perform:
        rng = random.Random(seed)  # noqa: S311 - no secret
        timers: list[threading.Timer] = []

        def strike() -> None:
            pause_s = rng.uniform(0, _LONGEST_PAUSE_S)
            timers.append(threading.Timer(pause_s, servers.kill, (service,)))
            timers[-1].start()

        def mend() -> None:
            for timer in timers:
                timer.join()
            servers.wait()

        def perform(command: Command) -> None:
            numbers = [
                seen.number for seen in clean.requests[command] if seen.server == service.value
            ]
            fates = (Fate.STRIKE_BEFORE, Fate.STRIKE_DURING, Fate.STRIKE_DURING, Fate.STRIKE_AFTER)
            met = {number: rng.choice(fates) for number in rng.sample(numbers, strikes)}
            before = servers.kill_count
            runs = driver.until_done(
                command,
                lambda seen: met.get(seen.number, Fate.THROUGH),
                strike=strike,
                mend=mend,
            )
            tally.counts[f"runs of {verb(command)}"] += runs
            name = service.display_name
            tally.counts[f"kills of {name} in {verb(command)}"] += servers.kill_count - before

        return perform

    return mischief
