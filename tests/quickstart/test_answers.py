"""What Ann and Ben say, and which pictures they say it of."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from ops.core.ontology import parse_ontology
from ops.core.records import TaskKey
from ops.errors import ConfigurationError
from ops.media import Image as FoundImage
from ops.media import MediaFile, find_files, read_image
from ops.quickstart import MOST_DIGITS
from ops.quickstart.answers import ANN, BEN, Answer, NearestMean, make_answers
from ops.quickstart.pictures import (
    LABEL_CONFIG,
    LABELS,
    PHOTOGRAPHS,
    Digit,
    Sample,
    draw,
    is_ours,
    load_sample,
    need_modules,
    picture_keys,
    write_pictures,
)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """scikit-learn's digits."""
    return load_sample()


def _digit(label: str, *ink: float) -> Digit:
    return Digit(ink=ink, label=label)


def test_the_mean_that_is_nearest_names_a_digit() -> None:
    """Three labels on a line, the last with two examples."""
    means = NearestMean([_digit("0", 0), _digit("1", 10), _digit("2", 20), _digit("2", 30)])
    assert [means.label(_digit("?", ink)) for ink in (4, 6, 17, 18, 99)] == list("01122")


def test_what_is_learned_from_is_never_shown(sample: Sample) -> None:
    """Every digit is on one side, and none on both."""
    assert (len(sample.shown), len(sample.hidden)) == (MOST_DIGITS, 1797 - MOST_DIGITS)
    shown = {digit.ink for digit in sample.shown.values()}
    assert not shown & {digit.ink for digit in sample.hidden}
    assert {digit.label for digit in sample.hidden} == set(LABELS)


def test_the_labels_are_the_true_ones(sample: Sample) -> None:
    """Each digit keeps the label it has in scikit-learn's set, whatever the shuffle did."""
    from sklearn import datasets

    bunch = cast("Any", datasets).load_digits()
    truth = {tuple(ink): str(target) for ink, target in zip(bunch.data, bunch.target, strict=True)}
    assert {digit.ink: digit.label for digit in sample.shown.values()}.items() <= truth.items()


def _answers(sample: Sample, count: int) -> tuple[Answer, ...]:
    ben = NearestMean(sample.hidden)
    return make_answers(
        picture_keys(count),
        truth=lambda key: sample.shown[key].label,
        guess=lambda key: ben.label(sample.shown[key]),
    )


def test_the_two_disagree_in_earnest(sample: Sample) -> None:
    """Ben is wrong in about one of eight; Ann never is; nobody answers twice."""
    answers = _answers(sample, 200)
    assert len({(answer.key, answer.annotator) for answer in answers}) == len(answers)
    by_person = {
        who: {a.key: a.label for a in answers if a.annotator == who and a.label}
        for who in (ANN, BEN)
    }
    assert all(label == sample.shown[key].label for key, label in by_person[ANN].items())
    wrong = [key for key, label in by_person[BEN].items() if label != sample.shown[key].label]
    assert (len(by_person[ANN]), len(by_person[BEN]), len(wrong)) == (196, 120, 15)


def test_every_state_a_task_can_be_in_is_there(sample: Sample) -> None:
    """Photographs are skipped by all who see them, or empty; the last digits are left."""
    answers = _answers(sample, 20)
    answered = {answer.key for answer in answers}
    assert sorted(set(picture_keys(20)) - answered) == [
        TaskKey(f"digits/{number:04}.png") for number in (18, 19, 20)
    ]
    skipped = {a.key for a in answers if a.skipped}
    empty = {a.key for a in answers if a.label is None and not a.skipped}
    assert skipped - empty == set(PHOTOGRAPHS[:2])
    assert empty == set(PHOTOGRAPHS[2:])


def test_an_answer_is_the_same_wherever_it_is_made() -> None:
    """Identity and lead time are functions of who, what and in which round."""
    one = Answer(key=TaskKey("digits/0001.png"), annotator=ANN, label="3")
    others = [
        one.unique_id("b" * 32),
        Answer(key=one.key, annotator=BEN, label="3").unique_id("a" * 32),
        Answer(key=TaskKey("digits/0002.png"), annotator=ANN).unique_id("a" * 32),
    ]
    assert len({one.unique_id("a" * 32), *others}) == 4
    assert one.lead_time_s == Answer(key=one.key, annotator=ANN, label="8").lead_time_s


def test_lead_times_are_a_persons(sample: Sample) -> None:
    """Seconds, mostly a few, never none."""
    times = sorted(answer.lead_time_s for answer in _answers(sample, 200))
    assert 0.5 < times[0] < times[-1] <= 40
    assert 2 < times[len(times) // 2] < 5


def test_a_digit_is_drawn_as_it_was_written(sample: Sample) -> None:
    """Seen from afar, the large picture is the small one: dark where there was ink."""
    digit = sample.shown[TaskKey("digits/0001.png")]
    with Image.open(BytesIO(draw(digit))) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (320, 320), "L")
        small = image.resize((10, 10), Image.Resampling.BOX).crop((1, 1, 9, 9))
    for ink, grey in zip(digit.ink, small.tobytes(), strict=True):
        assert abs(grey - 255 * (1 - ink / 16)) < 70


def test_all_pictures_are_pictures(sample: Sample, tmp_path: Path) -> None:
    """What is written is what `data add` takes; different digits are different pictures."""
    keys = list(write_pictures(sample, 20, tmp_path))
    assert keys == list(picture_keys(20))
    found = {file.key: read_image(file) for file in find_files([tmp_path])}
    assert set(found) == set(keys)
    assert all(isinstance(image, FoundImage) for image in found.values())
    assert len({(tmp_path / key).read_bytes() for key in keys}) == len(keys)
    file = MediaFile(key=TaskKey("x"), path=tmp_path / PHOTOGRAPHS[-1])
    rocket = read_image(file)
    assert isinstance(rocket, FoundImage)
    assert rocket.content_type == "image/jpeg"


def test_a_key_of_somebody_elses_is_not_ours() -> None:
    """Only exact names count."""
    assert all(is_ours(key) for key in picture_keys(MOST_DIGITS))
    others = ("digits/1.png", "digits/0001.jpg", "x/digits/0001.png", "photos/mine.png", "")
    assert not any(is_ours(TaskKey(key)) for key in others)


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    """Those that are there are not."""
    need_modules()
    with pytest.raises(ConfigurationError, match="no_such_library") as refused:
        need_modules(("sys", "no_such_library"))
    assert "sys" not in refused.value.message
    assert "labeling-ops[local,quickstart]" in refused.value.hint


def test_labels_are_evenly_spread(sample: Sample) -> None:
    """A round of 200 has every digit more than ten times."""
    counts = Counter(sample.shown[key].label for key in picture_keys(200)[:200])
    assert set(counts) == set(LABELS)
    assert min(counts.values()) > 10


def test_the_label_config_offers_the_digits_by_their_own_keys() -> None:
    """What the answers say is what may be said, and the key 3 says 3."""
    ontology = parse_ontology(LABEL_CONFIG)
    [control] = ontology.controls
    assert (control.name, ontology.media_field) == ("label", "image")
    assert [label.value for label in control.labels] == list(LABELS)
    assert all(f'value="{label}" hotkey="{label}"' in LABEL_CONFIG for label in LABELS)
