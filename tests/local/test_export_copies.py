"""The copies Label Studio keeps of every export: removed, and nothing else with them."""

import os
import time
from pathlib import Path

from ops.local.home import Home, Service, make_private
from ops.local.label_studio import remove_export_copies

COPIES = ("project-7-at-2026-01-31-23-59-0a1b2c3d.json", "project-12-at-2026-01-31-23-59-00000000")
KEPT = ("7.json", "project-7-at-2026-01-31.json", "project-7-at-2026-01-31-23-59-0a1b2c3d.zip")


def exports(root: Path) -> Path:
    """Where Label Studio keeps them."""
    return Home.at(root).data(Service.LABEL_STUDIO) / "data" / "export"


def names(directory: Path) -> set[str]:
    """What is in a directory."""
    return {path.name for path in directory.iterdir()}


def test_only_copies_go_and_only_old_ones(tmp_path: Path) -> None:
    """By their whole name and by their age; where there is no folder there is nothing to do."""
    root = tmp_path / ".ops"
    remove_export_copies(Home.at(root))
    folder = make_private(exports(root))
    old = [COPIES[0], f"{COPIES[1]}.json", f"{COPIES[1]}-info.json"]
    for name in (*old, *KEPT, "project-1-at-2026-01-31-23-59-0a1b2c3d.json"):
        (folder / name).touch()
        if name in old:
            os.utime(folder / name, (time.time() - 100, time.time() - 100))
    remove_export_copies(Home.at(root), older_than_s=50)
    assert names(folder) == {*KEPT, "project-1-at-2026-01-31-23-59-0a1b2c3d.json"}
    remove_export_copies(Home.at(root))
    assert names(folder) == {*KEPT}
