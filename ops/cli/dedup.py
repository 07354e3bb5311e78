"""`ops data dedup`: pictures that are the same, or nearly."""

import csv
from collections.abc import Iterator, Sequence
from enum import StrEnum
from io import StringIO
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.data import app
from ops.cli.dataset import Ref
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.duplicates import FURTHEST, NEAR_DISTANCE, Group
from ops.core.records import Json

if TYPE_CHECKING:
    from ops.runner.duplicates import Duplicates, Pictures


class Format(StrEnum):
    """How groups are shown to people."""

    TABLE = "table"
    CSV = "csv"


Near = Annotated[
    int | None,
    typer.Option(
        "--near",
        metavar="DISTANCE",
        min=0,
        max=FURTHEST,
        help="Pictures are near whose perceptual hashes differ in at most so many of 64 bits; "
        f"{NEAR_DISTANCE} unless you say another.",
    ),
]


@verb(app, "data", "dedup")
def dedup(
    session: Session,
    ref: Ref = "main",
    *,
    near: Near = None,
    shown: Annotated[
        Format, typer.Option("--format", help="A table, or CSV with a line a picture.")
    ] = Format.TABLE,
) -> Result:
    """Name groups of equal and near pictures, and where their labels contradict each other.

    Equal: the same bytes. Near: they look the same, as a copy of another size, quality or
    brightness does; told by the profile that ops data profile makes. A group is what such pairs
    hold together, directly or through others. Deletes nothing.
    """
    from ops.runner.dataset import resolve
    from ops.runner.duplicates import find_duplicates

    context = session.context()
    distance = NEAR_DISTANCE if near is None else near
    found = find_duplicates(context, resolve(context, ref), distance=distance)
    # Groups that contradict themselves first: somebody has to look at these.
    groups = sorted(found.groups, key=lambda one: (not found.contradicts(one), one.keys))
    exact = sum(one.is_exact for one in groups)
    contradicting = sum(map(found.contradicts, groups))
    near_count = len(groups) - exact
    heading = (
        f"{len(found.pictures.objects)} pictures: {counted(exact, 'group')} of equal ones, "
        f"{counted(near_count, 'group')} with near ones (at most {distance} of 64 bits)"
    )
    body: list[str | Table] = [heading]
    if contradicting:
        body.append(f"labels differ in {counted(contradicting, 'group')}")
    if shown is Format.CSV:
        body = [_csv(found, groups)]
    elif groups:
        body += ["", Table(columns=_COLUMNS, rows=list(_rows(found, groups)))]
    return Result(
        data={
            "commit": found.commit,
            "pictures": len(found.pictures.objects),
            "near_distance": distance,
            "unprofiled": found.pictures.unprofiled,
            "undecodable": found.pictures.undecodable,
            "plain": found.pictures.plain_count(distance),
            "groups": [_as_json(found, one) for one in groups],
        },
        body=body,
        warnings=unseen_warnings(found.pictures, distance),
    )


def counted(count: int, noun: str) -> str:
    """A number of things in words: `1 group`, `2 groups`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


_COLUMNS = ("group", "pictures", "task", "state", "labels", "regions", "")


def _rows(found: "Duplicates", groups: Sequence[Group]) -> Iterator[Sequence[str | int]]:
    from ops.runner.duplicates import Said

    for number, group in enumerate(groups, 1):
        note = "labels differ" if found.contradicts(group) else ""
        for key in group.keys:
            said = found.said.get(key, Said())
            labels = ", ".join(said.labels)
            yield number, _alike(group), key, said.state.value, labels, said.region_count, note


def _alike(group: Group) -> str:
    return "equal" if group.is_exact else f"near ({group.distance})"


def _csv(found: "Duplicates", groups: Sequence[Group]) -> str:
    sink = StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow((*_COLUMNS[:-1], "note"))
    writer.writerows(_rows(found, groups))
    return sink.getvalue().removesuffix("\n")


def _as_json(found: "Duplicates", group: Group) -> dict[str, Json]:
    from ops.runner.duplicates import Said

    tasks: list[Json] = []
    for key in group.keys:
        said = found.said.get(key, Said())
        tasks.append(
            {
                "key": key,
                "sha256": found.pictures.sha256.get(key),
                "state": said.state.value,
                "labels": list(said.labels),
                "regions": said.region_count,
            }
        )
    return {
        "exact": group.is_exact,
        "distance": group.distance,
        "contradicts": found.contradicts(group),
        "tasks": tasks,
    }


def unseen_warnings(pictures: "Pictures", distance: int) -> Sequence[Warn]:
    """Which pictures near ones were not looked for among, and what would help."""
    warnings: list[Warn] = []
    if pictures.unprofiled:
        warnings.append(
            Warn(
                code="not-profiled",
                message=f"{pictures.unprofiled} pictures have no perceptual hash, so only equal "
                "bytes tell them: ops data profile (with the extra dedup: "
                "pip install 'labeling-ops[dedup]')",
            )
        )
    if pictures.undecodable:
        warnings.append(
            Warn(
                code="not-decodable",
                message=f"{pictures.undecodable} pictures cannot be decoded; equal bytes tell them",
            )
        )
    if plain := pictures.plain_count(distance):
        warnings.append(
            Warn(
                code="too-plain",
                message=f"{plain} pictures are blank, or nearly: each looks like any other, so "
                "only equal bytes tell them",
            )
        )
    return warnings
