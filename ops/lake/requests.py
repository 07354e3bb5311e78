"""The requests ops words itself: objects, and the look at a ref that every command takes.

Owns their paths, queries and bodies. All else is worded by the SDK (sdk.py), which these do without
for what was measured:

- the commit of a ref, a listing, what is staged or differs, a read: a command that only looks, or
  a sync with nothing changed, would pay 0.5 s for the SDK's import and, where it reads many
  objects, twice the CPU for each (0.30 ms for 0.17 ms).
- an upload: the SDK sends bytes as a form, of type application/octet-stream whatever they are.
- the removal of 1 000 objects: 2.8 ms for 0.3 ms.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ops.errors import NotFoundError
from ops.lake.objects import check_path, metadata_headers
from ops.lake.wire import PAGE_LENGTH, Request
from ops.ports import Upload

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests about one repository. Each method gives one; none sends it."""

    repository: str

    def commit_of(self, ref: str) -> Request:
        """The commit a ref stands for."""
        return self._to(
            "GET", "commits", ref, doing=f"read the commit of {ref}", about=f"ref {ref}"
        )

    def list_objects(self, ref: str, prefix: str, after: str, *, metadata: bool) -> Request:
        """A page of the objects below a prefix."""
        return self._to(
            "GET",
            "refs",
            ref,
            "objects",
            "ls",
            doing=f"list the objects of {ref}",
            about=f"ref {ref}",
            query={
                "prefix": prefix,
                "user_metadata": "true" if metadata else "false",
                "amount": PAGE_LENGTH,
                "after": after,
            },
        )

    def uncommitted(self, branch: str, after: str) -> Request:
        """A page of what is staged on a branch."""
        return self._to(
            "GET",
            "branches",
            branch,
            "diff",
            doing=f"list what is staged on branch {branch}",
            about=f"branch {branch}",
            query={"amount": PAGE_LENGTH, "after": after},
        )

    def diff(self, left: str, right: str, prefix: str, after: str, *, since_base: bool) -> Request:
        """A page of what differs at one ref from another."""
        return self._to(
            "GET",
            "refs",
            left,
            "diff",
            right,
            doing=f"compare {left} with {right}",
            about=f"ref {left} or {right}",
            query={
                "prefix": prefix,
                "type": "three_dot" if since_base else "two_dot",
                "after": after,
                "amount": PAGE_LENGTH,
                "include_right_stats": "true",
            },
        )

    def read(self, ref: str, path: str) -> Request:
        """An object's bytes.

        Raises:
            InvalidDataError: lakeFS cannot hold such a path.
        """
        check_path(path)
        request = self._to(
            "GET",
            "refs",
            ref,
            "objects",
            doing=f"read {path} at {ref}",
            about=f"{path} at {ref}",
            query={"path": path},
        )
        return replace(request, subject=path)

    def look_at(self, ref: str, path: str) -> Request:
        """What lakeFS's listing says of one object.

        Raises:
            InvalidDataError: lakeFS cannot hold such a path.
        """
        check_path(path)
        request = self._to(
            "GET",
            "refs",
            ref,
            "objects",
            "stat",
            doing=f"look at {path} at {ref}",
            about=f"{path} at {ref}",
            query={"path": path, "user_metadata": "false"},
        )
        return replace(request, subject=path)

    def upload(self, branch: str, upload: Upload, *, only_if_absent: bool = False) -> Request:
        """An object to stage.

        Args:
            branch: where.
            upload: what.
            only_if_absent: let lakeFS refuse it where an object of that path is there.

        Raises:
            InvalidDataError: lakeFS cannot hold an object of that path or metadata.
        """
        check_path(upload.path)
        condition = {"if-none-match": "*"} if only_if_absent else {}
        request = self._to(
            "POST",
            "branches",
            branch,
            "objects",
            doing=f"upload {upload.path} to branch {branch}",
            about=f"branch {branch}",
            query={"path": upload.path},
        )
        return replace(
            request,
            subject=upload.path,
            body=upload.data,
            headers={
                "content-type": upload.content_type,
                **metadata_headers(upload.path, upload.metadata),
                **condition,
            },
            # Sent again, "only if absent" would meet its own object and answer "not stored".
            is_repeatable=not only_if_absent,
        )

    def read_end(self, ref: str, path: str) -> Request:
        """An object's last byte.

        Raises:
            InvalidDataError: lakeFS cannot hold such a path.
        """
        return replace(self.read(ref, path), headers={"range": "bytes=-1"})

    def place(self, branch: str, path: str, body: bytes) -> Request:
        """An object to stage whose bytes lie elsewhere; `body` says where, and what they are.

        Raises:
            InvalidDataError: lakeFS cannot hold such a path.
        """
        check_path(path)
        request = self._to(
            "PUT",
            "branches",
            branch,
            "objects",
            doing=f"name the place of {path} on branch {branch}",
            about=f"branch {branch}",
            query={"path": path},
        )
        headers = {"content-type": "application/json"}
        return replace(request, subject=path, body=body, headers=headers)

    def delete_objects(self, branch: str, paths: Sequence[str]) -> Request:
        """The removal of up to 1 000 objects."""
        request = self._to(
            "POST",
            "branches",
            branch,
            "objects",
            "delete",
            doing=f"delete objects from branch {branch}",
            about=f"branch {branch}",
        )
        body = json.dumps({"paths": list(paths)}).encode()
        return replace(request, body=body, headers={"content-type": "application/json"})

    def _to(
        self,
        method: Method,
        *segments: str,
        doing: str,
        about: str,
        query: Mapping[str, str | int] | None = None,
    ) -> Request:
        check_names(segments, doing=doing, repository=self.repository)
        return Request(
            method=method,
            segments=("repositories", self.repository, *segments),
            doing=doing,
            about=about,
            subject=segments[1],
            query=query or {},
        )


def check_names(names: Iterable[str], *, doing: str, repository: str) -> None:
    """Refuse an empty name: in an address it would make another resource of what is around it.

    Raises:
        NotFoundError: one of them is empty.
    """
    if all(names):
        return
    raise NotFoundError(
        "not-in-lakefs",
        f"cannot {doing}: an empty name names nothing",
        where=(("repository", repository),),
        unchanged="nothing was read or written",
        hint="see what there is: ops round list, ops dataset log",
    )
