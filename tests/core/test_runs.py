"""Records of training runs: what is kept, what is refused, and when two are the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.documents import parse
from ops.core.records import CommitId, Json
from ops.core.runs import (
    Run,
    Training,
    check_training,
    decode_run,
    encode_run,
    metric_names,
    named,
    run_id,
    same_run,
)
from ops.errors import ConflictError, InvalidDataError, OpsError, UsageError

TRAINING = Training(
    model="cheese detector",
    metrics={"f1": 0.93, "loss": 0.1},
    params={"lr": 1e-3, "layers": [3, 4], "augment": {"flip": True}, "note": None},
    url="https://runs.example.org/17",
    model_digest="sha256:" + "a" * 64,
)
RUN = Run(
    id="r1",
    commit=CommitId("c" * 64),
    version=7,
    training=TRAINING,
    made_by="lena@example.org",
    made_at="2026-11-22T01:02:03.000004Z",
    tool_version="0.1.0",
)
names = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1)
trainings = st.builds(
    Training,
    model=names,
    metrics=st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False)),
    params=st.dictionaries(names, st.none() | st.booleans() | st.integers(-9, 9) | names),
)


@given(trainings)
def test_what_is_kept_is_what_was_said(training: Training) -> None:
    """Read back and written again it is the same, byte for byte."""
    run = named(replace(RUN, training=check_training(training)), None)
    data = encode_run(run)
    assert decode_run(data, run.id) == run
    assert encode_run(decode_run(data, run.id)) == data


@given(trainings, trainings)
def test_a_name_follows_from_what_is_said(one: Training, other: Training) -> None:
    """The same run has it again; another run has another."""
    assert run_id(RUN.commit, one) == run_id(RUN.commit, replace(one))
    assert (run_id(RUN.commit, one) == run_id(RUN.commit, other)) is (one == other)
    assert run_id(RUN.commit, one) != run_id(CommitId("d" * 64), one)


def test_the_same_run_again_is_the_one_that_is_kept() -> None:
    """Whoever records it, and whenever."""
    later = replace(RUN, made_by="ben@example.org", made_at="2026-11-23T01:02:03.000004Z")
    assert same_run(RUN, later) is RUN
    for other in (
        replace(RUN, commit=CommitId("d" * 64)),
        replace(RUN, training=replace(TRAINING, metrics={"f1": 0.94})),
    ):
        with pytest.raises(ConflictError) as caught:
            same_run(RUN, other)
        assert caught.value.code == "run-exists"


@pytest.mark.parametrize(
    ("training", "subject"),
    [
        (replace(TRAINING, model=" "), "model"),
        (replace(TRAINING, model="two\nlines"), "model"),
        (replace(TRAINING, metrics={"f1": float("nan")}), "metric 'f1'"),
        (replace(TRAINING, metrics={"loss": float("inf")}), "metric 'loss'"),
        (replace(TRAINING, metrics={"": 1.0}), "metric ''"),
        (replace(TRAINING, url="runs/17"), "url"),
        (replace(TRAINING, url="file:///etc/passwd"), "url"),
        (replace(TRAINING, url="https://[runs"), "url"),
        (replace(TRAINING, url="https://ann:secret@runs.example.org"), "url"),
        (replace(TRAINING, model_digest="md5:1"), "model digest"),
    ],
)
def test_what_cannot_be_kept_is_refused(training: Training, subject: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        check_training(training)
    assert (caught.value.code, caught.value.subject) == ("run-invalid", subject)
    assert "secret" not in caught.value.message


def test_a_parameter_json_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidDataError):
        check_training(replace(TRAINING, params={"lr": float("nan")}))


@pytest.mark.parametrize("given_id", ["", "../x", "a/b", "-x", "x" * 65])
def test_an_id_names_a_file(given_id: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(RUN, given_id)
    assert caught.value.code == "table-name"


def _without(name: str) -> Callable[[dict[str, Json]], object]:
    return lambda document: document.pop(name)


def _with(name: str, value: Json) -> Callable[[dict[str, Json]], object]:
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    "spoil",
    [
        _with("schema", "ops.run/2"),
        _with("id", "other"),
        _with("metrics", {"f1": "high"}),
        _with("metrics", []),
        _with("version", -1),
        _with("made_at", "yesterday"),
        *map(_without, ("schema", "id", "commit", "model", "metrics", "params", "made_by")),
    ],
)
def test_a_damaged_record_is_refused(spoil: Callable[[dict[str, Json]], object]) -> None:
    """With the place in it that is wrong."""
    from ops.core.encoding import encode
    from ops.core.lines import stored

    document = parse(encode_run(RUN), stored("runs/r1.json", "run-invalid"))
    assert isinstance(document, dict)
    spoil(document)
    with pytest.raises(OpsError) as caught:
        decode_run(encode(document), "r1")
    assert (caught.value.code, caught.value.subject) == ("run-invalid", "runs/r1.json")


def test_metrics_of_several_runs_make_one_table() -> None:
    other = replace(RUN, training=replace(TRAINING, metrics={"accuracy": 1.0}))
    assert metric_names([RUN, other]) == ["accuracy", "f1", "loss"]
    assert metric_names([]) == []
