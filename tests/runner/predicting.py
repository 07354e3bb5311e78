"""A model, what it says of a world's pictures, and what became of that."""

import json
from collections.abc import Mapping
from pathlib import Path

from ops.core.prediction_rules import Matching
from ops.core.predictions import check_model_version
from ops.core.records import Json, Origin
from ops.runner.prediction_files import open_predictions
from ops.runner.predictions import Added, add_predictions
from tests.runner.world import World, region

NET, NAME = check_model_version("cheese-net", "3"), "cheese-net@3"


def said(count: int = 4) -> list[dict[str, Json]]:
    """What the model says of the first pictures: a box each, as Label Studio has it."""
    return [
        {"key": f"p{number:03}.png", "score": 0.5, "result": [region("brie")]}
        for number in range(count)
    ]


def write(folder: Path, entries: list[dict[str, Json]], name: str = "said.jsonl") -> Path:
    """A file of a model's lines."""
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return path


def keep(
    world: World,
    path: Path,
    *,
    version: str = "3",
    matching: Matching | None = None,
    skip_unknown: bool = False,
    dry_run: bool = False,
) -> Added:
    """Keep what a file says of version 3, or another."""
    return add_predictions(
        world.context,
        open_predictions(path),
        check_model_version("cheese-net", version),
        matching=matching or Matching(),
        skip_unknown=skip_unknown,
        dry_run=dry_run,
    )


def predicted(world: World) -> dict[str, list[str]]:
    """Which model versions speak of each task in the newest project, each prediction once."""
    project = max(world.studio.projects)
    return {
        str(task.data["key"]): [one.model_version for one in task.predictions]
        for task in world.studio.tasks.values()
        if task.project == project
    }


def origins(world: World, ref: str, key: str) -> Mapping[str, Origin]:
    """Where the regions of a task's one annotation came from."""
    record = json.loads(world.records(ref)[f"annotations/{key}.json"])
    [annotation] = record["annotations"]
    return {name: Origin(one) for name, one in annotation.get("origins", {}).items()}
