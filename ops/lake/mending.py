"""`ops.mending.MendableLake` on a real lakeFS: what only repairs do."""

import time
from collections.abc import Mapping
from fnmatch import fnmatchcase

from ops.core.records import CommitId
from ops.errors import RefusedError, UnavailableError
from ops.lake.client import PROTECTION_POLL_S, PROTECTION_WAIT_S
from ops.lake.in_place import LakeFSInPlace


class MendableLakeFS(LakeFSInPlace):
    """One repository on a real lakeFS, and what only repairs do to it."""

    def unprotect(self, branch: str) -> None:
        """Allow direct writes to a branch again, keeping other rules.

        Repeatable. Two requests, plus a wait until it is so: a server heeds the change after 3 to
        6 s.

        Raises:
            RefusedError: a rule for more than this branch protects it.
            UnavailableError: others keep changing the rules, or the server does not heed them.
        """
        patterns, etag = self._protection_rules()
        left = [pattern for pattern in patterns if pattern != branch]
        if wider := [pattern for pattern in left if fnmatchcase(branch, pattern)]:
            raise RefusedError(
                "wider-protection",
                f"branch {branch} is protected by a rule for more than it: {wider[0]}",
                subject=branch,
                where=self._site.where,
                unchanged="no rule was changed",
                hint="take that rule off in the lakeFS UI (Settings, Branches), and run the same "
                "command again",
            )
        request = self._calls.set_protection_rules(left, etag)
        is_set = self._send_unless(request, 412, "precondition failed") is not None
        if not is_set or not self._is_accepted(branch):
            raise UnavailableError(
                "still-protected",
                f"branch {branch} is protected still: the server does not heed the change",
                subject=branch,
                where=self._site.where,
                unchanged="nothing was written to the branch",
                hint="run the same command again",
            )

    def _is_accepted(self, branch: str) -> bool:
        """Say whether the branch takes a write that leaves nothing; waits until it does."""
        request = self._calls.probe(branch)
        deadline = time.monotonic() + PROTECTION_WAIT_S
        while self._send_unless(request, 403, "protected branch") is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(PROTECTION_POLL_S)
        return True

    def delete_tag(self, name: str) -> bool:
        """Remove a tag; False if there is none. One request."""
        request = self._calls.delete_tag(name)
        return self._send_unless(request, 404, "tag not found") is not None

    def overrule(
        self, source: str, destination: str, message: str, metadata: Mapping[str, str]
    ) -> CommitId | None:
        """Merge a ref into a branch, the source winning what both changed; None for nothing new.

        One request.

        Raises:
            RefusedError: a hook of the server refused, or something is staged on the destination.
        """
        return self._merge(source, destination, message, metadata, strategy="source-wins")
