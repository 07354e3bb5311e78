"""Whether the clocks of this machine and of the servers agree.

Owns how far they may differ. A signature of SigV4, which lakeFS's S3 gateway and every store check,
is refused where the clocks of who signs and who checks are 15 minutes apart; a token of Label
Studio is refused where it was issued in the server's future.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ops.core.health import Diagnosis, failed, healthy, skipped, suspect
from ops.errors import ConfigurationError
from ops.live.web import Answer, ask

LIMIT_S = 15 * 60
NOTABLE_S = 60
HERE = "this machine"
_HEALTH = {"lakeFS": "/_health", "Label Studio": "/health"}
_SET_HERE = "set this machine's clock: timedatectl set-ntp true"
_SET_THERE = (
    "set the clock of the machine {who} runs on; on GKE let its node be replaced: "
    "kubectl drain NODE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How far a server's clock is ahead of ours, and how sure that is."""

    ahead_s: float
    within_s: float


def read_skew(answer: Answer) -> Skew | None:
    """How far the clock of who answered is ahead of ours; None where it does not say its time."""
    try:
        stated = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    # The header has whole seconds, cut: half of one is the best guess at the rest.
    return Skew(ahead_s=stated + 0.5 - answer.at_s, within_s=answer.within_s / 2 + 0.5)


def examine_clocks(urls: Mapping[str, str]) -> Diagnosis:
    """Compare the clocks of servers, by name, with ours. One request each.

    Args:
        urls: `lakeFS` and `Label Studio`, or one of them.
    """
    answers = {name: ask(url + _HEALTH[name]) for name, url in urls.items()}
    skews = {name: found for name, a in answers.items() if (found := read_skew(a)) is not None}
    return judge(skews)


def judge(skews: Mapping[str, Skew]) -> Diagnosis:
    """What differences between clocks mean, ours among them."""
    if not skews:
        return skipped("clock", "no server says what time it has")
    ahead = {HERE: 0.0, **{name: skew.ahead_s for name, skew in skews.items()}}
    margin_s = max(skew.within_s for skew in skews.values())
    spread_s = max(ahead.values()) - min(ahead.values()) - margin_s
    if spread_s <= NOTABLE_S:
        return healthy("clock", f"{_listed([*ahead])} agree within {_words(NOTABLE_S)}")
    wrong = _odd_one(ahead)
    others = [name for name in ahead if name != wrong]
    by_s = ahead[wrong] - ahead[others[0]]
    said = (
        f"the clock of {wrong} is {_words(abs(by_s))} {'ahead of' if by_s > 0 else 'behind'} "
        f"that of {_listed(others)}"
    )
    remedy = _SET_HERE if wrong == HERE else _SET_THERE.format(who=wrong)
    if spread_s <= LIMIT_S:
        return suspect("clock", said, remedy=remedy)
    return failed(
        "clock",
        ConfigurationError(
            "clock-wrong",
            f"{said}: signatures are refused from {_words(LIMIT_S)} on",
            subject=wrong,
            unchanged="nothing was changed",
            hint=remedy,
        ),
    )


def _odd_one(ahead: Mapping[str, float]) -> str:
    """Whose clock it is: the one farthest from the middle one.

    Of two it is ours: a server's is kept by its cloud, a laptop's by whoever shut it last.
    """
    if len(ahead) == 2:  # noqa: PLR2004 - ours and one more
        return HERE
    middle = sorted(ahead.values())[len(ahead) // 2]
    return max(ahead, key=lambda name: abs(ahead[name] - middle))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _words(seconds: float) -> str:
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h"
