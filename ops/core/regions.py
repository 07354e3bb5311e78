"""What the entries of an annotation's result have in common.

Owns reading labels and geometry out of one region, whatever control made it. Does not change
regions, and knows no label config.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ops.core.records import Json

RELATION = "relation"
PATH_SEPARATOR = "/"

# Where a region names its classes: below its own type, `rectanglelabels`, but for a video's box.
_LABELS = "labels"
_NAMED_BY_TYPE = frozenset({"choices", "taxonomy"})
_NAMED_AS_LABELS = frozenset({"labels", "videorectangle"})


def is_relation(region: Mapping[str, Json]) -> bool:
    """Say whether an entry joins two regions instead of being one."""
    return region.get("type") == RELATION


def value_of(region: Mapping[str, Json]) -> dict[str, Json]:
    """The region's value; empty where it has none."""
    value = region.get("value")
    return value if isinstance(value, dict) else {}


def label_paths(region: Mapping[str, Json]) -> tuple[tuple[str, ...], ...]:
    """The classes a region names, each as the path to it.

    One step long but for Taxonomy and nested Choices. Typed text, ratings and numbers are no
    labels.
    """
    field = label_field(region)
    return tuple(dict.fromkeys(_paths(value_of(region).get(field)))) if field else ()


def label_field(region: Mapping[str, Json]) -> str | None:
    """The field of a region's value that names its classes; None for a control without classes.

    Only that one: the editor copies the labels of a region into its other entries, and there they
    would count twice.
    """
    kind = str(region.get("type"))
    if kind in _NAMED_AS_LABELS:
        return _LABELS
    return kind if kind in _NAMED_BY_TYPE or kind.endswith(_LABELS) else None


def _paths(stated: Json) -> Iterator[tuple[str, ...]]:
    for one in stated if isinstance(stated, list) else []:
        if isinstance(one, str):
            yield (one,)
        elif isinstance(one, list):
            yield tuple(str(step) for step in one)


def labels(region: Mapping[str, Json]) -> tuple[str, ...]:
    """The classes a region names, as texts; the steps of a path joined by `/`."""
    return tuple(PATH_SEPARATOR.join(path) for path in label_paths(region))


def said(result: Iterable[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """The regions without what Label Studio's editor adds when it saves what nobody changed.

    That is `origin`, in every region, and in each entry of a region copies of what its other
    entries say: the `choices` of a per-region question in the box itself (seen in 1.23.2).
    """
    regions = [dict(region) for region in result]
    stated: dict[tuple[str, str], list[Json]] = {}
    for region in regions:
        kind = str(region.get("type"))
        if isinstance(name := region.get("id"), str) and kind in value_of(region):
            # Two questions of one type about one region each say something of their own.
            stated.setdefault((name, kind), []).append(value_of(region)[kind])
    return [_without_additions(region, stated) for region in regions]


def _without_additions(
    region: Mapping[str, Json], stated: Mapping[tuple[str, str], Sequence[Json]]
) -> dict[str, Json]:
    own = {name: value for name, value in region.items() if name != "origin"}
    if "value" in own and isinstance(region["value"], dict):
        own["value"] = {
            name: value
            for name, value in region["value"].items()
            if name == region.get("type")
            or value not in stated.get((str(region.get("id")), name), ())
        }
    return own
