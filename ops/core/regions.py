"""What the entries of an annotation's result have in common.

Owns reading labels and geometry out of one region, whatever control made it. Does not change
regions, and knows no label config.
"""

from collections.abc import Iterator, Mapping

from ops.core.records import Json

RELATION = "relation"
PATH_SEPARATOR = "/"

# A region states its classes below its own type, `rectanglelabels`, but a video's box below this.
_LABELS = "labels"
_CLASSES = frozenset({"choices", "taxonomy"})


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
    value, kind = value_of(region), str(region.get("type"))
    paths = [*_paths(value.get(_LABELS))]
    if kind != _LABELS and (kind in _CLASSES or kind.endswith(_LABELS)):
        paths.extend(_paths(value.get(kind)))
    return tuple(dict.fromkeys(paths))


def _paths(stated: Json) -> Iterator[tuple[str, ...]]:
    for one in stated if isinstance(stated, list) else []:
        if isinstance(one, str):
            yield (one,)
        elif isinstance(one, list):
            yield tuple(str(step) for step in one)


def labels(region: Mapping[str, Json]) -> tuple[str, ...]:
    """The classes a region names, as texts; the steps of a path joined by `/`."""
    return tuple(PATH_SEPARATOR.join(path) for path in label_paths(region))
