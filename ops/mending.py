"""What only repairs do to a repository: the port that `doctor --fix` needs beside ops/ports.py.

Owns the deeds no other verb may do: to take protection off, to remove a tag, to let one side of a
merge win whole. `ops/lake/mending.py` implements it on the real server, `tests/fakes/lake.py` in
memory; both are held to tests/contract/test_mending.py.
"""

from collections.abc import Mapping
from typing import Protocol

from ops.core.records import CommitId
from ops.ports import Lake


class MendableLake(Lake, Protocol):
    """One lakeFS repository, and what only repairs do to it."""

    def unprotect(self, branch: str) -> None:
        """Allow direct writes to a branch again, keeping other rules.

        Repeatable. Two requests, plus a wait until it is so.

        Raises:
            RefusedError: a rule for more than this branch protects it (code `wider-protection`).
        """
        ...

    def delete_tag(self, name: str) -> bool:
        """Remove a tag; False if there is none. One request."""
        ...

    def overrule(
        self, source: str, destination: str, message: str, metadata: Mapping[str, str]
    ) -> CommitId | None:
        """Merge a ref into a branch, the source winning what both changed; None for nothing new.

        One request.

        Raises:
            RefusedError: a hook of the server refused (code `gate`), or something is staged on the
                destination (code `dirty-branch`).
        """
        ...
