"""A round with very many annotations, synced through a network that cuts long answers off.

Owns how so many come into Label Studio, and the proof that each arrived once and whole.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.core.names import RECORD_PREFIX, round_branch
from ops.core.records import Json
from ops.core.selection import Selection
from ops.local import Connection
from ops.runner.start import start_round
from ops.studio import LabelStudio
from tests.context import real_context
from tests.kills.driver import LABEL_STUDIO, Driver, proxied
from tests.kills.story import NAME, SYNC, Story
from tests.pictures import draw_pictures
from tests.proxy import Limits, let_through
from tests.real import bearer
from tests.runner.world import region

_BATCH = 250
_PATIENCE_S = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What a sync through the network brought.

    Attributes:
        annotation_count: how many are on the branch: each that was made, once.
        cut_count: answers that were cut off meanwhile.
        whole_export_s: how long the network would have taken for a whole export.
    """

    annotation_count: int
    cut_count: int
    whole_export_s: float


def sync_through_cuts(
    servers: Connection,
    directory: Path,
    *,
    task_count: int,
    each: int,
    cut_after_s: float,
    chunk_s: float,
) -> Arrived:
    """Sync a round through a network so slow that it would cut a whole export off.

    Args:
        servers: the real ones.
        directory: for pictures.
        task_count: of the round.
        each: annotations a task.
        cut_after_s: when the network cuts an answer off.
        chunk_s: how long it takes for 250 tasks of an export.
    """
    draw_pictures(directory / "pictures", task_count)
    story = Story(directory, servers)
    story.prepare()
    context = real_context(servers, story.ops.repository)
    started = start_round(context, NAME, Selection())
    assert started.manifest is not None
    project = started.manifest.project or 0
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        made = _annotate_all(studio, project, each=each)
    size = len(_whole_export(servers, servers.label_studio_url, project))
    bytes_per_s = size * _BATCH / task_count / chunk_s
    limits = Limits(cut_after_s=cut_after_s, bytes_per_s=bytes_per_s)
    with proxied(servers, limits) as proxy:
        with pytest.raises(httpx.TransportError):
            _whole_export(servers, proxy.urls[LABEL_STUDIO], project)
        Driver(story.ops, proxy, patience_s=_PATIENCE_S).until_done(SYNC, let_through)
        cut_count = proxy.cut_count
    paths = [f.path for f in context.lake.list_objects(round_branch(NAME), RECORD_PREFIX)]
    records = (json.loads(data) for _, data in context.lake.read_many(round_branch(NAME), paths))
    said = _said(records)
    assert said == made, f"lost {made - said}, doubled or changed {said - made}"
    return Arrived(
        annotation_count=sum(made.values()), cut_count=cut_count, whole_export_s=size / bytes_per_s
    )


def _annotate_all(studio: LabelStudio, project: int, *, each: int) -> Counter[tuple[str, str]]:
    """Put annotated tasks in the place of the round's own; give what was said, by key."""
    rows = list(studio.task_rows(project))
    studio.delete_tasks(project, [row.id for row in rows])
    made: Counter[tuple[str, str]] = Counter()
    for start in range(0, len(rows), _BATCH):
        items: list[Mapping[str, Json]] = []
        for row in rows[start : start + _BATCH]:
            results = [[region("brie", number), region("gouda", -1)] for number in range(each)]
            made.update((str(row.key), _text(result)) for result in results)
            annotations: list[Json] = [
                {"result": result, "ground_truth": False} for result in map(list[Json], results)
            ]
            items.append({"data": dict(row.data), "annotations": annotations})
        studio.import_tasks(project, items)
    return made


def _said(records: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter(
        (record["task"]["key"], _text(annotation["result"]))
        for record in records
        for annotation in record["annotations"]
    )


def _text(result: Sequence[Mapping[str, Any]]) -> str:
    """An annotation's regions, whatever their order."""
    return "\n".join(sorted(json.dumps(one, sort_keys=True) for one in result))


def _whole_export(servers: Connection, url: str, project: int) -> bytes:
    """All of a project in one answer, as Label Studio's own export button asks for it."""
    answer = httpx.get(
        f"{url}/api/projects/{project}/export",
        params={"exportType": "JSON", "download_all_tasks": "true"},
        headers=bearer(servers),
        timeout=600,
    )
    answer.raise_for_status()
    return answer.content
