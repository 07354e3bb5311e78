"""Several answers to one task: somebody says which counts, and none counts twice by accident."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.core.exporting.majority import vote
from ops.core.exporting.words import Format, Policy
from ops.core.records import Annotation
from ops.errors import RefusedError
from tests.exporting.scene import (
    FIVE,
    Scene,
    answer,
    box,
    choice,
    entry,
    json_of,
    rows_of,
    scene,
    states_of,
)

WIDE, NEAR, FAR = (10, 10, 50, 50), (11, 10, 50, 50), (90, 60, 130, 100)


def two_answers() -> Scene:
    """One task with one answer, one with two of different people, the second newer."""
    return scene(
        {
            "one.png": [answer(box("brie", WIDE))],
            "two.png": [
                answer(box("brie", WIDE), by="ann", at=1, ground_truth=True),
                answer(box("gouda", FAR), by="ben", at=2),
            ],
        }
    )


def exported(made: Scene, out: Path, policy: Policy | None) -> dict[str, list[tuple[str, str]]]:
    """The label and annotator of each region in a COCO export, by key."""
    made.export(out, Format.COCO, policy=policy)
    document = json_of(out / "annotations" / "instances_all.json")
    names = {one["id"]: one["name"] for one in document["categories"]}
    found: dict[str, list[tuple[str, str]]] = {one["file_name"]: [] for one in document["images"]}
    keys = {one["id"]: one["file_name"] for one in document["images"]}
    for one in document["annotations"]:
        who = one["attributes"]["annotator"].partition("@")[0]
        found[keys[one["image_id"]]].append((names[one["category_id"]], who))
    return found


@pytest.mark.parametrize("form", Format)
def test_without_a_policy_several_answers_are_refused(form: Format, tmp_path: Path) -> None:
    """By the names of the tasks; nothing is written. One answer a task needs no policy."""
    with pytest.raises(RefusedError) as caught:
        two_answers().export(tmp_path / "out", form)
    assert (caught.value.code, caught.value.exit_code) == ("several-answers", 4)
    assert caught.value.details == {"tasks": ["two.png"]}
    assert "ground-truth, latest, majority, all" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_each_policy_takes_what_it_says(tmp_path: Path) -> None:
    """Nothing else, and nothing twice."""
    made = two_answers()
    one = [("brie", "ann")]
    assert exported(made, tmp_path / "latest", Policy.LATEST) == {
        "one.png": one,
        "two.png": [("gouda", "ben")],
    }
    assert exported(made, tmp_path / "all", Policy.ALL) == {
        "one.png": one,
        "two.png": [("brie", "ann"), ("gouda", "ben")],
    }
    # What nobody marked, or most do not say, is left out: it is no empty picture.
    assert exported(made, tmp_path / "truth", Policy.GROUND_TRUTH) == {"two.png": one}
    assert exported(made, tmp_path / "majority", Policy.MAJORITY) == {"one.png": one}
    [first, second] = rows_of(tmp_path / "truth" / "states.csv")
    assert (first["state"], first["exported_as"], first["why"]) == (
        *("labeled", "", "no ground truth"),
    )
    assert second["exported_as"] == "labeled"
    facts = json_of(tmp_path / "majority" / "export.json")
    assert facts["tasks"]["labeled"] == 2
    assert facts["exported"] == {"labeled": 1, "empty": 0}
    assert (facts["not_exported"], facts["outvoted"], facts["ties"]) == ({"no majority": 1}, 2, 2)


def test_two_ground_truths_are_refused(tmp_path: Path) -> None:
    made = scene(
        {"p.png": [answer(by="ann", ground_truth=True), answer(by="ben", ground_truth=True)]}
    )
    with pytest.raises(RefusedError) as caught:
        made.export(tmp_path / "out", Format.CSV, policy=Policy.GROUND_TRUTH)
    assert caught.value.code == "several-ground-truths"


@pytest.mark.parametrize("form", [Format.YOLO, Format.VOC])
def test_a_format_without_annotators_takes_one_answer(form: Format, tmp_path: Path) -> None:
    """All of them in one file would count each thing twice."""
    with pytest.raises(RefusedError) as caught:
        two_answers().export(tmp_path / "out", form, policy=Policy.ALL, allow_loss=True)
    assert (caught.value.code, caught.value.subject) == ("format-has-one-answer", "two.png")
    two_answers().export(tmp_path / "out", form, policy=Policy.LATEST)


@pytest.mark.parametrize("policy", Policy)
def test_held_back_and_skipped_answers_never_count(policy: Policy, tmp_path: Path) -> None:
    """Whatever the policy, the states stay what they are."""
    held = [answer(box("brie", WIDE), ground_truth=True), answer(box("brie", WIDE), by="ben")]
    skips = [answer(box("brie", WIDE), skipped=True, ground_truth=True)]
    made = scene(
        {"q.png": held, "s.png": skips, "l.png": [answer(box("brie", WIDE), ground_truth=True)]},
        held=["q.png"],
    )
    assert exported(made, tmp_path / "out", policy) == {"l.png": [("brie", "ann")]}
    assert states_of(tmp_path / "out") == {"labeled": 1, "quarantined": 1, "skipped": 1}
    assert set(FIVE) >= set(states_of(tmp_path / "out"))


# The vote.


def labels_of(answers: Sequence[Annotation]) -> list[str]:
    """What a vote keeps, by label."""
    found = vote(answers).answer
    assert found is not None
    return sorted(
        str(name)
        for one in found.result
        if isinstance(value := one["value"], dict)
        for kind in ("rectanglelabels", "choices", "brushlabels")
        if isinstance(names := value.get(kind), list)
        for name in names
    )


def test_most_people_mark_the_same_thing() -> None:
    """Two of three; the third's own thing, and another class at the same place, are outvoted."""
    answers = [
        answer(box("brie", WIDE), by="ann", at=1),
        answer(box("brie", NEAR), by="ben", at=2),
        answer(box("gouda", WIDE, "x"), box("brie", FAR, "y"), by="cem", at=3),
    ]
    found = vote(answers)
    assert labels_of(answers) == ["brie"]
    assert (found.outvoted, found.ties) == (2, 0)
    assert found.answer is not None
    assert found.answer.annotator == "majority"
    assert found == vote(answers[::-1])


def test_the_thing_that_is_exported_is_the_one_in_the_middle() -> None:
    """It overlaps most with the others; of equals the newest."""
    answers = [
        answer(box("brie", (10, 10, 50, 50)), by="ann", at=1),
        answer(box("brie", (12, 10, 52, 50)), by="ben", at=2),
        answer(box("brie", (14, 10, 54, 50)), by="cem", at=3),
    ]
    found = vote(answers).answer
    assert found is not None
    [region] = found.result
    assert region["value"] == answers[1].result[0]["value"]
    both = vote(answers[:2]).answer
    assert both is not None
    assert both.result[0]["value"] == answers[1].result[0]["value"]


def test_half_is_no_majority() -> None:
    """A tie is named, and nothing is made of it: not even an empty picture."""
    tied = vote([answer(box("brie", WIDE), by="ann"), answer(by="ben")])
    assert (tied.answer, tied.outvoted, tied.ties) == (None, 1, 1)
    scattered = [answer(box("brie", (n, n, n + 9, n + 9)), by=f"p{n}") for n in (10, 50, 90)]
    assert vote(scattered).answer is None
    nothing = vote([answer(by="ann"), answer(by="ben"), answer(box("brie", WIDE), by="cem")])
    assert nothing.answer is not None
    assert (nothing.answer.result, nothing.outvoted, nothing.ties) == ((), 1, 0)


def test_a_person_has_one_vote() -> None:
    """With the newest answer; one thing never takes two regions of one person."""
    answers = [
        answer(box("brie", WIDE), by="ann", at=1),
        answer(box("brie", WIDE), by="ann", at=2),
        answer(box("gouda", WIDE), by="ben", at=3),
        answer(box("gouda", WIDE), by="cem", at=4),
    ]
    assert labels_of(answers) == ["gouda"]
    twins = [
        answer(box("brie", WIDE, "a"), box("brie", NEAR, "b"), by="ann", at=1),
        answer(by="ben", at=2),
        answer(box("brie", WIDE), by="cem", at=3),
    ]
    assert labels_of(twins) == ["brie"]
    assert vote(twins).outvoted == 1


def test_questions_are_voted_on_one_by_one() -> None:
    """The answer of more than half; of multiple choices each by itself."""
    single = [answer(choice("light", name), by=f"p{n}", at=n)
              for n, name in enumerate(["day", "night", "day"])]  # fmt: skip
    assert labels_of(single) == ["day"]
    assert vote(single).outvoted == 1
    assert vote(single[:2]).answer is None
    assert vote(single[:2]).ties == 2
    several = [
        answer(choice("kinds", "a", "b"), by="ann", at=1),
        answer(choice("kinds", "b", "c"), by="ben", at=2),
        answer(choice("kinds", "b"), by="cem", at=3),
    ]
    assert labels_of(several) == ["b"]
    assert vote(several).outvoted == 2


def test_what_has_no_area_must_be_equal() -> None:
    """Brush strokes and key points."""
    stroke = entry("brush", "brushlabels", {"rle": [1, 2], "brushlabels": ["mould"]}, "r")
    other = entry("brush", "brushlabels", {"rle": [1, 3], "brushlabels": ["mould"]}, "r")
    answers = [answer(one, by=f"p{n}", at=n) for n, one in enumerate([stroke, other, stroke])]
    assert labels_of(answers) == ["mould"]
    assert vote(answers).outvoted == 1
