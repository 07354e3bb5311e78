"""An order among tasks, and that a manifest remembers it."""

from hypothesis import given
from hypothesis import strategies as st

from ops.core.ranking import Ranking, RankKind, in_order
from ops.core.records import TaskKey

RANKS = st.dictionaries(
    st.text(min_size=1, max_size=6).map(TaskKey),
    st.none() | st.floats(allow_nan=False) | st.integers(-5, 5),
    max_size=30,
)


@given(RANKS, st.booleans())
def test_each_task_with_a_rank_is_there_once_in_order(
    ranks: dict[TaskKey, float | None], ascending: bool
) -> None:
    """Equals by key; what is not known last, also by key."""
    order = in_order([*ranks, TaskKey("\x00stranger")], ranks, ascending=ascending)
    assert sorted(order) == sorted(ranks)
    sign = 1 if ascending else -1
    said = [(ranks[k] is None, sign * (ranks[k] or 0), k) for k in order]
    assert said == sorted(said)


def test_texts_are_ordered_too() -> None:
    """Such as times in ISO form."""
    ranks = {TaskKey("a"): "2026-01-02", TaskKey("b"): "2026-11-22", TaskKey("c"): None}
    assert in_order(ranks, ranks, ascending=False) == ["b", "a", "c"]
    assert in_order(ranks, ranks, ascending=True) == ["a", "b", "c"]


def test_rankings_read_well() -> None:
    """For the person who asked."""

    def words(kind: RankKind, by: str, *, ascending: bool = False) -> str:
        return Ranking(kind=kind, by=by, file="s.csv", ascending=ascending).in_words

    assert words(RankKind.EXPRESSION, "region_count") == "highest region_count first"
    assert words(RankKind.FILE, "score", ascending=True) == "lowest score of s.csv first"
    assert words(RankKind.UNCERTAIN, "net@3") == "those net@3 is most unsure of first"
    assert words(RankKind.TEXT, "dog dance") == "most like 'dog dance' first"
    assert words(RankKind.DISAGREEMENT, "combined") == "most disagreement first"
