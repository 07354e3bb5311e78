"""The gates of a repository: read as main states them, and kept from being changed by a branch.

lakeFS takes its hooks from the commit that is merged, so a branch can leave the gate behind
(lakeFS 1.84: `pkg/graveler`, PreMergeHook). Owns refusing such a branch before the merge, and
telling whether main still holds the gate. Does not decide what a gate asks (ops/core/gates.py).
"""

from ops.core.gates import GateSettings, decode_gates
from ops.core.names import ACTIONS_PREFIX, GATES_PATH, GATES_PREFIX
from ops.errors import RefusedError
from ops.runner.context import Context, sample_of

GATE_PREFIXES = (ACTIONS_PREFIX, GATES_PREFIX)
"""What only `ops init`, `ops gates set` and `ops doctor --fix` may change."""


def read_gates(context: Context, ref: str) -> GateSettings:
    """The gates' settings at a ref of main; the defaults where it has none. One request.

    Raises:
        InvalidDataError: they are no settings of this version of ops.
    """
    return decode_gates(context.lake.read(ref, GATES_PATH))


def refuse_gate_changes(context: Context, main: str, head: str) -> None:
    """Refuse a branch that changed the gate since it left main. Two requests.

    Raises:
        RefusedError: code `gate-changed`: it holds another gate; the files are named.
    """
    changed = [
        f"{change.kind.value} {change.path}"
        for prefix in GATE_PREFIXES
        for change in context.lake.diff(main, head, prefix, since_base=True)
    ]
    if changed:
        raise RefusedError(
            "gate-changed",
            f"the branch changes {len(changed)} of the gate's files",
            subject=changed[0].partition(" ")[2],
            where=(("files", sample_of(changed)),),
            unchanged="nothing was merged",
            hint="undo that on the branch, then run the same command again\n"
            "settings are changed with: ops gates set FILE",
        )
