"""Which keys can be files, and which would be one file."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.local_names import file_problem, same_files
from ops.core.names import media_path, media_problem
from ops.core.records import TaskKey
from ops.errors import InvalidDataError
from ops.runner.fetch import refuse_names

FINE = ["a.png", "a b/c.png", "käse/日本.jpg", "a%20b", "..x", "a..b", ".hidden", "~", "-rf", "'\""]
NEVER = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "./a",
    "a\x00b",
    "n" * 256,
    "ä" * 128,
    "\ud800",
]
NOT_ON_WINDOWS = [
    "CON",
    "con.txt",
    "x/Aux",
    "lpt1.png",
    "a:b",
    "a?",
    "a|b",
    "a\\b",
    "end.",
    "end ",
    "a\nb",
]


@pytest.mark.parametrize("path", FINE)
def test_what_can_be_a_file_anywhere(path: str) -> None:
    assert file_problem(path) is None


@pytest.mark.parametrize("path", NEVER)
def test_what_can_be_a_file_nowhere(path: str) -> None:
    assert file_problem(path) is not None


@pytest.mark.parametrize("path", NOT_ON_WINDOWS)
def test_what_windows_does_not_have(path: str) -> None:
    assert file_problem(path) is None
    assert file_problem(path, on_windows=True) is not None


@given(st.text(max_size=60))
def test_a_key_of_ops_can_be_a_file_unless_it_is_too_long(key: str) -> None:
    """What `data add` takes, `dataset pull` gives back."""
    if media_problem(key) is None:
        assert (file_problem(media_path(TaskKey(key))) is None) is all(
            len(part.encode()) <= 255 for part in key.split("/")
        )


@pytest.mark.parametrize(
    ("paths", "careful", "careless"),
    [
        (["a", "b"], [], []),
        (["A.png", "a.png"], [], [("A.png", "a.png")]),
        (["Straße", "STRASSE"], [], [("Straße", "STRASSE")]),
        (["e\u0301.png", "\u00e9.png"], [], [("e\u0301.png", "\u00e9.png")]),
        (["x/a", "X/b"], [], []),
        (["a", "a/b.png"], [("a", "a/b.png")], [("a", "a/b.png")]),
        (["a/b/c", "a"], [("a", "a/b/c")], [("a", "a/b/c")]),
        (["A", "a/b.png"], [], [("A", "a/b.png")]),
        (["a.png", "a.png"], [], []),
        (["a-b", "a/b", "a0"], [], []),
    ],
)
def test_paths_that_are_one_file(
    paths: Sequence[str], careful: Sequence[tuple[str, str]], careless: Sequence[tuple[str, str]]
) -> None:
    """On a disk that tells names apart, and on one that does not."""
    assert list(same_files(paths, ignores_case=False)) == careful
    assert list(same_files(paths, ignores_case=True)) == careless


def test_two_keys_that_differ_by_case_are_refused_where_they_are_one_file() -> None:
    """Both are named, and what would help."""
    refuse_names(["images/A.png", "images/a.png"], ignores_case=False)
    with pytest.raises(InvalidDataError) as caught:
        refuse_names(["images/A.png", "images/a.png"], ignores_case=True)
    assert caught.value.code == "same-file"
    assert "images/A.png and images/a.png" in caught.value.message
    assert "takes both names for one" in dict(caught.value.where)["why"]
