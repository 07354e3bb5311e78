"""Clocks that differ: whose it is, how far, and what to type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.health import Verdict
from ops.live.clock import HERE, LIMIT_S, NOTABLE_S, Skew, examine_clocks, judge
from ops.local import Connection
from tests.live.shifting import shifted


def skews(lake: float, studio: float) -> dict[str, Skew]:
    """Both servers' clocks, so many seconds ahead of ours."""
    return {
        "lakeFS": Skew(ahead_s=lake, within_s=1),
        "Label Studio": Skew(ahead_s=studio, within_s=1),
    }


@pytest.mark.parametrize(
    ("lake", "studio", "verdict", "whose"),
    [
        (0, 0, Verdict.OK, ""),
        (50, -5, Verdict.OK, ""),
        (120, 0, Verdict.WARN, "the clock of lakeFS is 2 min ahead"),
        (0, -300, Verdict.WARN, "the clock of Label Studio is 5 min behind"),
        (600, 605, Verdict.WARN, f"the clock of {HERE} is 10 min behind"),
        (0, 3_600, Verdict.FAIL, "the clock of Label Studio is 60 min ahead"),
        (-86_400, 0, Verdict.FAIL, "the clock of lakeFS is 24 h behind"),
        (7_200, 7_201, Verdict.FAIL, f"the clock of {HERE} is 2 h behind"),
    ],
)
def test_whose_clock_it_is(lake: float, studio: float, verdict: Verdict, whose: str) -> None:
    """Of three, the one the other two disagree with."""
    found = judge(skews(lake, studio))
    assert found.verdict is verdict
    assert whose in found.message
    if verdict is not Verdict.OK:
        is_ours = HERE in whose
        assert ("timedatectl" in found.remedy) is is_ours
    if verdict is Verdict.FAIL:
        assert found.error is not None
        assert found.error.code == "clock-wrong"


@given(lake=st.floats(-1e6, 1e6), studio=st.floats(-1e6, 1e6))
def test_the_verdict_is_as_grave_as_the_farthest_two_are_apart(lake: float, studio: float) -> None:
    """Whatever the order."""
    apart = max(0, lake, studio) - min(0, lake, studio) - 1
    found = judge(skews(lake, studio)).verdict
    wanted = (
        Verdict.OK if apart <= NOTABLE_S else Verdict.WARN if apart <= LIMIT_S else Verdict.FAIL
    )
    assert found is wanted


def test_of_two_ours_is_taken_to_be_wrong() -> None:
    """There is nobody else to ask."""
    found = judge({"lakeFS": Skew(ahead_s=10_000, within_s=1)})
    assert f"the clock of {HERE} is 3 h behind" in found.message


def test_servers_that_do_not_answer_say_nothing() -> None:
    """Another check says that they do not."""
    found = examine_clocks({"lakeFS": "http://127.0.0.1:9", "Label Studio": "http://127.0.0.1:9"})
    assert found.verdict is Verdict.SKIPPED


@pytest.mark.servers
def test_the_clocks_of_one_machine_agree(servers: Connection) -> None:
    """Both real servers say what time it is."""
    urls = {"lakeFS": servers.lakefs_url, "Label Studio": servers.label_studio_url}
    found = examine_clocks(urls)
    assert found.verdict is Verdict.OK
    assert found.message.startswith("this machine, lakeFS and Label Studio agree")


@pytest.mark.servers
@pytest.mark.parametrize("ahead_s", [-1_200, 1_200])
def test_a_server_whose_clock_is_wrong_is_named(servers: Connection, ahead_s: int) -> None:
    """The real lakeFS, behind a proxy that says another time."""
    with shifted(servers.lakefs_url, ahead_s) as url:
        found = examine_clocks({"lakeFS": url, "Label Studio": servers.label_studio_url})
    assert found.verdict is Verdict.FAIL
    assert "the clock of lakeFS is 20 min" in found.message
    assert ("ahead" if ahead_s > 0 else "behind") in found.message
