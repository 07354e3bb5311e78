"""The rules for records and tasks one by one, as examples made by hand."""

from dataclasses import replace
from typing import cast

import pytest

from ops.core.conflicts import DataConflict, MediaConflict, Merged, RecordConflict
from ops.core.merge import merge_records
from ops.core.records import Json, Media, Record, TaskKey, TaskState
from ops.errors import InternalError, InvalidDataError
from tests.core.merge_edits import NOISE, annotation, box, record

_LATER = "2026-11-22T14:02:00.000000Z"


def _with_media(**changes: object) -> Record:
    known = record()
    media = replace(known.task.media, **cast("dict[str, str]", changes))
    return replace(known, task=replace(known.task, media=media))


def _media(merged: Merged) -> Media:
    assert merged.conflicts == ()
    assert merged.record
    return merged.record.task.media


def test_a_picture_replaced_on_one_side_is_the_picture() -> None:
    """With what is known of it, and whatever was learned of the old one."""
    replaced = _with_media(checksum="c1", width=800)
    merged = merge_records(record(), replaced, _with_media(width=640, sha256="5" * 64))
    assert _media(merged) == replaced.task.media


def test_a_picture_replaced_by_two_is_a_conflict() -> None:
    """Of the media."""
    ours, theirs = _with_media(checksum="c1"), _with_media(size_bytes=2)
    merged = merge_records(record(), ours, theirs)
    assert merged.conflicts == (
        MediaConflict(base=record().task.media, ours=ours.task.media, theirs=theirs.task.media),
    )
    assert merged.record == record()


def test_what_both_learned_of_a_picture_is_known() -> None:
    """Facts are merged one by one, and cannot be two."""
    merged = merge_records(record(), _with_media(width=640), _with_media(sha256="5" * 64))
    assert _media(merged) == _with_media(width=640, sha256="5" * 64).task.media
    disputed = merge_records(record(), _with_media(width=640), _with_media(width=800))
    assert isinstance(disputed.conflicts[0], MediaConflict)


def test_what_was_known_of_another_picture_says_nothing() -> None:
    """Both sides replaced it alike; one side knows how wide the new one is, as the old one was."""
    base = _with_media(width=640)
    sides = _with_media(checksum="c1", width=640), _with_media(checksum="c1")
    assert _media(merge_records(base, *sides)) == sides[0].task.media


def test_of_two_pictures_without_a_base_the_record_has_one() -> None:
    """The same one, whichever side is ours: it is not for writing."""
    ours, theirs = _with_media(checksum="c1"), _with_media(checksum="c2")
    there, back = merge_records(None, ours, theirs), merge_records(None, theirs, ours)
    assert there.record == back.record
    assert there.conflicts == (
        MediaConflict(base=None, ours=ours.task.media, theirs=theirs.task.media),
    )


def _with_data(**data: Json) -> Record:
    known = record()
    return replace(known, task=replace(known.task, data=data))


def test_task_data_is_merged_by_field() -> None:
    """One side corrects a title, the other adds a note and removes a field; true is not 1."""
    merged = merge_records(
        _with_data(title="chese", old=1),
        _with_data(title="cheese", old=1),
        _with_data(title="chese", note=True),
    )
    assert merged == Merged(record=_with_data(title="cheese", note=True))
    disputed = merge_records(
        _with_data(seen=0, title="a"),
        _with_data(seen=1, title="a"),
        _with_data(seen=True, title="b"),
    )
    assert disputed.conflicts == (
        DataConflict(base={"seen": 0}, ours={"seen": 1}, theirs={"seen": True}),
    )
    assert disputed.record == _with_data(seen=0, title="b")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        (False, True, False, True),
        (True, False, True, False),
        (True, False, False, False),
        (None, True, False, True),
        (None, False, False, False),
    ],
)
def test_quarantine_is_set_and_lifted_by_the_side_that_changed_it(
    base: bool | None, ours: bool, theirs: bool, merged: bool
) -> None:
    """Without a base, what is held back on a side is held back."""
    known = None if base is None else replace(record(), quarantined=base)
    sides = (replace(record(), quarantined=one) for one in (ours, theirs))
    after = merge_records(known, *sides).record
    assert after
    assert (after.state is TaskState.QUARANTINED) is merged


def test_a_record_removed_on_one_side() -> None:
    """It is gone if the other left it alone; else that is a conflict of the whole record."""
    before = record(annotation("u", box("a")))
    saved = record(replace(annotation("u", box("a", x=NOISE)), updated_at=_LATER))
    assert merge_records(before, None, saved) == Merged(record=None)
    assert merge_records(before, None, None) == Merged(record=None)
    for changed in (
        record(annotation("u", box("a")), annotation("v")),
        record(),
        replace(before, quarantined=True),
        replace(before, task=_with_data(title="a").task),
        replace(before, task=_with_media(checksum="c1").task),
    ):
        conflict = RecordConflict(base=before, ours=None, theirs=changed)
        assert merge_records(before, None, changed) == Merged(record=before, conflicts=(conflict,))


def test_records_of_different_tasks_are_refused() -> None:
    """That is a bug of the caller."""
    other = replace(record(), task=replace(record().task, key=TaskKey("other.jpg")))
    with pytest.raises(InternalError) as caught:
        merge_records(None, record(), other)
    assert caught.value.code == "merge-of-different-tasks"
    assert caught.value.where == (("task", "cheese/1.jpg"), ("task", "other.jpg"))


def test_a_doubled_identity_is_refused() -> None:
    """Two annotations of one unique_id cannot be told apart: none is dropped in silence."""
    one = annotation("u", box("a"))
    doubled = replace(record(), annotations=(one, replace(one, result=(box("b"),))))
    with pytest.raises(InvalidDataError) as caught:
        merge_records(record(), record(), doubled)
    assert caught.value.subject == "cheese/1.jpg"
