"""Names that code builds come back whole from their parsers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core import names
from ops.core.records import TaskKey
from ops.errors import UsageError
from tests.strategies import keys

ALLOWED = "abcdefghijklmnopqrstuvwxyz0123456789_-"
round_names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,49}", fullmatch=True)
anything = st.text(max_size=60)

MALFORMED_ROUND_NAMES = [
    "",
    " ",
    "-cheese",
    "_cheese",
    "Cheese",
    "cheese 2",
    "cheese.2",
    "cheese/2",
    "cheese\n",
    "käse",
    "чeese",
    "٣",
    "cheese\x00",
    "x" * 51,
    "..",
    "main~1",
    "cheese@2",
    "--json",
]


@given(round_names)
def test_a_rounds_names_round_trip(name: str) -> None:
    """Branch and manifest lead back to the round they were built for."""
    assert names.check_round_name(name) == name
    assert names.branch_round(names.round_branch(name)) == name
    assert names.manifest_round(names.manifest_path(name)) == name


@given(round_names)
def test_a_rounds_branch_is_a_name_lakefs_takes(name: str) -> None:
    r"""LakeFS 1.84: `^\w[-\w]*$`; a Label Studio project's title holds 50 characters."""
    assert re.fullmatch(r"\w[-\w]*", names.round_branch(name), re.ASCII)
    assert len(name) <= 50


@given(round_names, round_names)
def test_rounds_do_not_share_paths(one: str, two: str) -> None:
    """Manifest, task list and index of all rounds are different objects."""
    builders = (names.manifest_path, names.tasks_path, names.index_path)
    paths = [build(name) for name in {one, two} for build in builders]
    assert len(set(paths)) == len(paths)
    others = {names.tasks_path(one), names.index_path(one)}
    assert not [path for path in others if names.manifest_round(path) is not None]


@pytest.mark.parametrize("name", MALFORMED_ROUND_NAMES)
def test_a_malformed_round_name_is_refused(name: str) -> None:
    """With the usage code, naming it; and no branch or path is taken for such a round's."""
    with pytest.raises(UsageError) as caught:
        names.check_round_name(name)
    assert (caught.value.code, caught.value.subject) == ("round-name", name)
    assert names.branch_round(names.round_branch(name)) is None
    assert names.manifest_round(names.manifest_path(name)) is None


@given(anything)
def test_what_is_taken_for_a_rounds_branch_or_manifest_is_built_so(text: str) -> None:
    """The parsers accept nothing the builders do not build."""
    if (name := names.branch_round(text)) is not None:
        assert names.round_branch(names.check_round_name(name)) == text
    if (name := names.manifest_round(text)) is not None:
        assert names.manifest_path(names.check_round_name(name)) == text


@pytest.mark.parametrize(
    "branch", ["main", "cheese", "rounds-cheese", "round-", "round--a", "xround-a", "ROUND-a"]
)
def test_other_branches_are_no_rounds(branch: str) -> None:
    """Whoever made them."""
    assert names.branch_round(branch) is None


@given(keys)
def test_media_and_record_paths_round_trip(key: TaskKey) -> None:
    """A task's media and record lead back to its key; they never share a path."""
    assert names.media_key(names.media_path(key)) == key
    assert names.record_key(names.record_path(key)) == key
    assert names.media_path(key) != names.record_path(key)


@pytest.mark.parametrize(
    "key", ["a.json", "annotations/a", "images/a", "a.json.json", ".json", "annotations/a.json"]
)
def test_keys_that_look_like_paths_round_trip(key: str) -> None:
    """Only the one prefix and the one suffix that were added are taken off."""
    assert names.record_key(names.record_path(TaskKey(key))) == key
    assert names.media_key(names.media_path(TaskKey(key))) == key


@given(st.integers(1, 999_999_999))
def test_version_tags_round_trip(number: int) -> None:
    """`v7` is version 7."""
    assert names.tag_version(names.version_tag(number)) == number


@pytest.mark.parametrize(
    "tag", ["", "v", "v0", "v01", "v-1", "v1.0", "1", "V1", "v1 ", "v1\n", "v٣", "v" + "1" * 5000]
)
def test_other_tags_name_no_version(tag: str) -> None:
    """People may tag what they like."""
    assert names.tag_version(tag) is None


@given(anything)
def test_what_is_taken_for_a_version_tag_is_built_so(tag: str) -> None:
    """The parser accepts nothing the builder does not build."""
    number = names.tag_version(tag)
    assert number is None or names.version_tag(number) == tag


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("", "empty"),
        ("/a", "empty"),
        ("a/", "empty"),
        ("a//b", "empty"),
        (".", "relative"),
        ("../a", "relative"),
        ("a/./b", "relative"),
        ("a/../b", "relative"),
        ("a?b", "character"),
        ("a.png ", "white space"),
        ("a.png\u3000", "white space"),
        ("a\\b", "character"),
        ("a\nb", "character"),
        ("a\x00b", "character"),
        ("a\x7fb", "character"),
        ("a\udcffb", "UTF-8"),
        ("x" * 901, "900 bytes"),
        ("é" * 451, "900 bytes"),
    ],
)
def test_keys_that_mean_different_things_in_different_places_are_told(key: str, part: str) -> None:
    """The reason says what is wrong, and fits behind the file's name."""
    problem = names.media_problem(key)
    assert problem is not None
    assert problem.startswith("has ")
    assert part in problem


@pytest.mark.parametrize(
    "key",
    ["a", "a/b.png", "Käse 1.jpg", "...", ".hidden", "a..b", "x" * 900, "50 %.png", "a #2%41.png"],
)
def test_usual_keys_are_fine(key: str) -> None:
    """Spaces, other scripts, dots, `#` and `%` within a name are no problem."""
    assert names.media_problem(key) is None


@given(st.text(st.characters(), max_size=12))
def test_any_name_of_a_file_is_judged(key: str) -> None:
    """No text makes the check itself fail, lone surrogates of a file system included."""
    problem = names.media_problem(key)
    assert problem is None or problem.startswith("has ")
