"""Hypothesis strategies of the domain: JSON, regions, annotations, records."""

from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

from ops.core.canonical import normalise_record
from ops.core.records import Annotation, Json, Media, Origin, Record, Task, TaskKey

# Anything JSON can carry in UTF-8; lone surrogates are no Unicode text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-100, 100).map(float),
)
scalars: Strategy[Json] = st.one_of(st.none(), st.booleans(), numbers, texts)
values: Strategy[Json] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
objects: Strategy[dict[str, Json]] = st.dictionaries(texts, values, max_size=5)

keys = st.lists(st.text("aZ0 -_.é😀", min_size=1, max_size=6), min_size=1, max_size=3).map(
    lambda parts: TaskKey("/".join(parts))
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - see next
    lambda moment: moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
)
digests = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
emails = st.sampled_from(["ada@example.com", "bob@example.com", "zoë@example.org"])

_region_ids = st.sampled_from(["a", "b", "c", "région", "0"])
_percent = st.one_of(st.integers(0, 100), st.floats(0, 100))


_VALUES: dict[str, dict[str, Json]] = {
    "rectanglelabels": {"width": 5, "height": 2.5, "rotation": 0},
    "polygonlabels": {"points": [[0, 1.5], [2, 3], [4.25, 5]], "closed": True},
    "brushlabels": {"format": "rle", "rle": [0, 1, 255]},
    "choices": {},
    "strange": {"anything": [{"deep": [1, {"er": None}]}]},
}


@st.composite
def regions(draw: st.DrawFn) -> dict[str, Json]:
    """A region of one of the usual controls, or a strange one."""
    label = draw(st.sampled_from(["Cat", "Dog & fox", "Käse"]))
    kind = draw(st.sampled_from(sorted(_VALUES)))
    value: dict[str, Json] = {**_VALUES[kind], kind: [label]}
    region: dict[str, Json] = {
        "id": draw(_region_ids),
        "type": kind,
        "from_name": draw(st.sampled_from(["label", "kind"])),
        "to_name": "image",
        "value": {**value, "x": draw(_percent), "y": draw(_percent)},
    }
    if draw(st.booleans()):
        region["origin"] = draw(st.sampled_from(["manual", "prediction", "prediction-changed"]))
    if draw(st.booleans()):
        region["meta"] = draw(objects)
    return region


@st.composite
def relations(draw: st.DrawFn) -> dict[str, Json]:
    """A relation between two regions that may be there."""
    return {
        "type": "relation",
        "from_id": draw(_region_ids),
        "to_id": draw(_region_ids),
        "labels": draw(st.lists(st.sampled_from(["on", "under"]), max_size=2)),
    }


results = st.lists(st.one_of(regions(), relations()), max_size=4).map(tuple)


def annotations() -> Strategy[Annotation]:
    """An annotation in no particular order or form."""
    return st.builds(
        Annotation,
        unique_id=st.uuids().map(str),
        annotator=emails,
        updated_by=st.none() | emails,
        round=st.sampled_from(["cheese-1", "cheese-2"]),
        created_at=moments,
        updated_at=moments,
        ontology_digest=digests,
        skipped=st.booleans(),
        ground_truth=st.booleans(),
        lead_time_s=st.none() | st.floats(0, 1e6),
        origins=st.dictionaries(_region_ids, st.sampled_from(Origin), max_size=3),
        prediction=st.none() | st.fixed_dictionaries({"model_version": texts, "score": numbers}),
        result=results,
    )


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    """A task, with or without the facts nobody has read."""
    key = draw(keys)
    media = Media(
        path=f"images/{key}",
        checksum=draw(digests)[:32],
        size_bytes=draw(st.integers(0, 2**40)),
        sha256=draw(st.none() | digests),
        width=draw(st.none() | st.integers(1, 10_000)),
        height=draw(st.none() | st.integers(1, 10_000)),
    )
    return Task(key=key, media=media, data=draw(objects))


def loose_records() -> Strategy[Record]:
    """A record whose annotations and regions are in any order and form."""
    return st.builds(
        Record,
        task=tasks(),
        annotations=st.lists(annotations(), max_size=3, unique_by=lambda one: one.unique_id).map(
            tuple
        ),
        quarantined=st.booleans(),
    )


def records() -> Strategy[Record]:
    """A record in canonical form."""
    return loose_records().map(normalise_record)
