"""The round a finish opens with what it held back.

Owns its name and its selection. Starting it is start.py's.
"""

import re

from ops.core.names import MAIN, check_round_name, round_branch
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection
from ops.ports import Lake
from ops.runner.context import Context, branch_manifest, read_manifest
from ops.runner.start import start_round

_NUMBERED = re.compile(r"(.*-rework)(?:-(\d+))?")


def rework_name(lake: Lake, name: str) -> str:
    """The first name free for a round with what round `name` held back. Two requests a name tried.

    `cheese-rework` for cheese, then `cheese-rework-2`, `cheese-rework-3` …

    Raises:
        UsageError: the name would be too long for a round's.
    """
    match = _NUMBERED.fullmatch(name)
    stem, number = (match[1], int(match[2] or 1) + 1) if match else (f"{name}-rework", 1)
    while True:
        candidate = check_round_name(stem if number == 1 else f"{stem}-{number}")
        is_taken = lake.find_commit(round_branch(candidate)) or read_manifest(lake, MAIN, candidate)
        if not is_taken:
            return candidate
        number += 1


def open_rework(context: Context, manifest: Manifest) -> None:
    """Open the round a finished round names for what it held back, or go on opening it.

    Its annotators see all answers of these tasks. Repeatable; what start_round costs.
    """
    name = manifest.rework
    if name is None or read_manifest(context.lake, MAIN, name) is not None:
        return
    there = branch_manifest(context.lake, name)
    if there is not None and there.state is not RoundState.STARTING:
        return
    keys = tuple(held.key for held in manifest.held)
    start_round(context, name, Selection(labeled_too=True, edit=True, keys=keys))
