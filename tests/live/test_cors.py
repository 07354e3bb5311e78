"""The preflight a labeling browser would send, sent to a bucket."""

import pytest

from ops.core.health import Verdict
from ops.live.cors import examine_cors
from tests.gcs.emulator import emulator
from tests.live.shifting import answering

ORIGIN = "http://127.0.0.1:18080"


def look(monkeypatch: pytest.MonkeyPatch, store: str, url: str = ORIGIN) -> tuple[Verdict, str]:
    """How the check comes out with a bucket at a store."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", store)
    found = examine_cors("cheese-data", url)
    return found.verdict, f"{found.message}\n{found.remedy}"


def test_a_bucket_that_answers_every_page_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As fake-gcs-server does, whatever is set."""
    with emulator() as cloud:
        verdict, said = look(monkeypatch, cloud.url)
    assert verdict is Verdict.WARN
    assert "every page" in said


@pytest.mark.parametrize("headers", [{}, {"Access-Control-Allow-Origin": "https://other.example"}])
def test_a_bucket_that_refuses_the_page_is_told(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """With the command that mends it."""
    with answering(200, headers=headers) as store:
        verdict, said = look(monkeypatch, store)
    assert verdict is Verdict.WARN
    assert f"ops bucket cors set gs://cheese-data --origin {ORIGIN}" in said


def test_a_bucket_for_label_studio_alone_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The origin is asked for without a path."""
    with answering(200, headers={"Access-Control-Allow-Origin": ORIGIN}) as store:
        verdict, said = look(monkeypatch, store, f"{ORIGIN}/labels")
    assert verdict is Verdict.OK
    assert ORIGIN in said


def test_a_store_out_of_reach_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at the bucket does."""
    assert look(monkeypatch, "http://127.0.0.1:9")[0] is Verdict.SKIPPED
