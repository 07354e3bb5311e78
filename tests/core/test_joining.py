"""Which row belongs to which image: strictly, both ways, and never by a guess."""

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.joining import (
    Alike,
    Match,
    MatchOn,
    Rule,
    check_complete,
    differences,
    match,
    suggest,
)
from ops.core.records import TaskKey
from ops.errors import InvalidDataError, OpsError, RefusedError

PATHS = st.lists(
    st.text("abAB.é%/", min_size=1, max_size=6).filter(lambda text: not text.startswith("/")),
    max_size=8,
    unique=True,
)


def keys(*names: str) -> list[TaskKey]:
    return [TaskKey(name) for name in names]


def joined(
    rows: Sequence[str | None], images: Sequence[TaskKey], rule: Rule | None = None
) -> Match:
    return match(rows, images, rule or Rule(), file="table.csv")


def refused(
    rows: Sequence[str | None], images: Sequence[TaskKey], rule: Rule | None = None
) -> InvalidDataError:
    with pytest.raises(InvalidDataError) as caught:
        joined(rows, images, rule)
    assert caught.value.exit_code == 9
    return caught.value


def test_what_matches_and_what_does_not_is_said_both_ways() -> None:
    found = joined(["b.jpg", "x.jpg", "a.jpg"], keys("a.jpg", "b.jpg", "c.jpg"))
    assert found.rows == {"a.jpg": 2, "b.jpg": 0}
    assert list(found.rows) == ["a.jpg", "b.jpg"]
    assert found.unmatched_rows == ["x.jpg"]
    assert found.unmatched_images == ["c.jpg"]
    assert dict(differences(found)) == {"rows": "x.jpg", "images": "c.jpg"}


@given(PATHS, PATHS)
def test_an_exact_match_is_the_intersection(rows: list[str], images: list[str]) -> None:
    """And every row and image is told of exactly once."""
    common = set(rows) & set(images)
    if not common:
        return
    found = joined(rows, keys(*images))
    assert {name: rows[row] for name, row in found.rows.items()} == {one: one for one in common}
    assert sorted([*found.unmatched_rows, *found.rows]) == sorted(rows)
    assert sorted([*found.unmatched_images, *found.rows]) == sorted(images)


@given(PATHS, PATHS, st.sampled_from(["", "a/", "b/a/", "%20/"]))
def test_what_is_suggested_matches_as_many_as_it_says(
    rows: list[str], images: list[str], prefix: str
) -> None:
    """Or it would be no help: the very options are tried."""
    named = keys(*(prefix + one for one in images))
    found = suggest(rows, named, Rule())
    if found is not None:
        assert len(joined(rows, named, found[0]).rows) == found[1]


@pytest.mark.parametrize(
    ("rows", "images", "options", "count"),
    [
        (["a/1.jpg", "a/2.jpg"], ["root/a/1.jpg", "root/a/2.jpg"], "--add-prefix root/", 2),
        (["root/a/1.jpg", "root/b/2.jpg"], ["a/1.jpg", "b/2.jpg"], "--strip-prefix root/", 2),
        (["s3://x/a/1.jpg"], ["a/1.jpg"], "--strip-prefix s3://x/", 1),
        (["/data/a/1.jpg"], ["a/1.jpg"], "--strip-prefix /data/", 1),
        (["old/a/1.jpg"], ["new/a/1.jpg"], "--strip-prefix old/ --add-prefix new/", 1),
        (["my files/1.jpg"], ["1.jpg"], "--strip-prefix 'my files/'", 1),
        (["p/1.jpg", "q/2.jpg"], ["a/1.jpg", "b/2.jpg"], "--match-on name", 2),
        (["A/1.JPG"], ["a/1.jpg"], "--alike case", 1),
        (["a%20b.jpg"], ["a b.jpg"], "--alike percent", 1),
        (["a\\1.jpg"], ["a/1.jpg"], "--alike slashes", 1),
        (["d\\a\\1.jpg"], ["a/1.jpg"], "--strip-prefix d/ --alike slashes", 1),
        ([unicodedata.normalize("NFD", "é.jpg")], ["é.jpg"], "--alike unicode", 1),
        (
            [unicodedata.normalize("NFD", "É%20.jpg")],
            ["é .jpg"],
            "--alike case --alike unicode --alike percent --alike slashes",
            1,
        ),
    ],
)
def test_nothing_that_matches_shows_both_shapes_and_the_options_that_would(
    rows: list[str], images: list[str], options: str, count: int
) -> None:
    """The strictest of those that match most."""
    error = refused(rows, keys(*images))
    assert error.code == "no-match"
    assert dict(error.where) == {"key in table.csv": "\n".join(rows), "image": "\n".join(images)}
    assert error.hint == f"{count} of {len(rows)} rows match with: {options}"


def test_options_that_leave_nothing_over_are_found_to_be_the_fault() -> None:
    """A prefix typed in vain: without it everything matches."""
    error = refused(["a.jpg"], keys("a.jpg"), Rule(add_prefix="x/"))
    assert error.hint == "1 of 1 rows match with: no option at all"


def test_where_nothing_would_match_nothing_is_suggested() -> None:
    error = refused(["a.jpg"], keys("b.jpg"))
    assert "right column" in error.hint
    assert dict(refused(["a.jpg"], []).where)["image"] == "there is none"


def test_names_alone_are_not_suggested_where_they_are_not_clear() -> None:
    """Two images of one name: whichever was meant."""
    error = refused(["x/1.jpg", "x/2.jpg"], keys("a/1.jpg", "b/1.jpg", "a/2.jpg", "b/2.jpg"))
    assert "--match-on name" not in error.hint


def test_a_name_of_two_images_is_refused_and_both_are_named() -> None:
    images = keys("a/1.jpg", "b/1.jpg", "b/2.jpg")
    error = refused(["1.jpg", "2.jpg"], images, Rule(on=MatchOn.NAME))
    assert (error.code, dict(error.where)["keys"]) == ("key-ambiguous", "1.jpg: a/1.jpg or b/1.jpg")
    assert joined(["2.jpg"], images, Rule(on=MatchOn.NAME)).rows == {"b/2.jpg": 0}


@pytest.mark.parametrize(
    ("rows", "rule", "said"),
    [
        (["a.jpg", "b.jpg", "a.jpg"], Rule(), "rows 1 and 3: a.jpg and a.jpg"),
        (["x/a.jpg", "y/a.jpg"], Rule(on=MatchOn.NAME), "rows 1 and 2: x/a.jpg and y/a.jpg"),
        (["x/a.jpg", "a.jpg"], Rule(strip_prefix="x/"), "rows 1 and 2: x/a.jpg and a.jpg"),
        (["A.jpg", "a.jpg"], Rule(alike=(Alike.CASE,)), "rows 1 and 2: A.jpg and a.jpg"),
    ],
)
def test_two_rows_about_one_image_are_refused(rows: list[str], rule: Rule, said: str) -> None:
    """Neither is taken for the right one."""
    error = refused(rows, keys("a.jpg", "b.jpg"), rule)
    assert (error.code, dict(error.where)["keys"]) == ("key-repeated", said)


def test_keys_that_differ_by_case_are_two() -> None:
    """Each goes to its own image, and to no other."""
    images = keys("A.jpg", "a.jpg", "B.jpg")
    found = joined(["a.jpg", "A.jpg", "b.jpg"], images)
    assert found.rows == {"A.jpg": 1, "a.jpg": 0}
    assert (found.unmatched_rows, found.unmatched_images) == (["b.jpg"], ["B.jpg"])
    assert refused(["a.jpg"], images, Rule(alike=(Alike.CASE,))).code == "key-ambiguous"


def test_percent_signs_and_accents_are_taken_to_the_letter() -> None:
    """Unless somebody says otherwise: both may be names of their own."""
    nfc, nfd = "é.jpg", unicodedata.normalize("NFD", "é.jpg")
    images = keys(nfc, nfd, "a b.jpg", "a%20b.jpg")
    found = joined([nfd, "a%20b.jpg"], images)
    assert found.rows == {nfd: 0, "a%20b.jpg": 1}
    both = Rule(alike=(Alike.PERCENT,))
    assert refused(["a%20b.jpg"], images, both).code == "key-ambiguous"


@pytest.mark.parametrize("missing", [None, ""])
def test_a_row_without_a_key_is_refused(missing: str | None) -> None:
    error = refused(["a.jpg", missing], keys("a.jpg"))
    assert (error.code, error.message) == (
        "key-missing",
        "1 rows of table.csv name no image, row 2 first",
    )


def test_everything_can_be_asked_for() -> None:
    """A row too many, or an image too many, and it is refused."""
    check_complete(joined(["a.jpg"], keys("a.jpg")), file="t.csv")
    for rows, images in ((["a", "x"], ["a"]), (["a"], ["a", "y"])):
        with pytest.raises(RefusedError) as caught:
            check_complete(joined(rows, keys(*images)), file="t.csv")
        assert caught.value.code == "join-incomplete"


def test_examples_are_few() -> None:
    """However many there are."""
    found = joined([f"{one}.jpg" for one in range(50)], keys("0.jpg"))
    assert dict(differences(found))["rows"].splitlines()[-1] == "… and 44 more"
    examples = found.as_json()["unmatched_row_examples"]
    assert isinstance(examples, list)
    assert len(examples) == 5


def test_every_error_has_its_parts() -> None:
    for act in (
        lambda: joined(["x"], keys("a")),
        lambda: joined(["a", "a"], keys("a")),
        lambda: joined([""], keys("a")),
    ):
        with pytest.raises(OpsError) as caught:
            act()
        error = caught.value
        assert error.unchanged == "nothing was written"
        assert error.hint
        assert error.subject == "table.csv"
