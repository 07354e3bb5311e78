"""The requests of lakeFS's API that ops sends, with the words for what each is for.

Owns paths, queries and bodies. Does not send them (transport.py) nor say what their answers mean
(client.py, failures.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ops.errors import NotFoundError
from ops.lake.objects import check_path, metadata_headers
from ops.lake.wire import Request
from ops.ports import Upload

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests about one repository. Each method gives one; none sends it."""

    repository: str

    def config(self) -> Request:
        """What the server is."""
        return replace(self._to("GET", doing="say its version"), segments=("config",))

    def find_repository(self) -> Request:
        """The repository's own facts."""
        return self._to("GET", doing=f"look up repository {self.repository}")

    def create_repository(self, namespace: str) -> Request:
        """A new repository with branch main."""
        request = self._to(
            "POST",
            doing=f"create repository {self.repository} at {namespace}",
            body={
                "name": self.repository,
                "storage_namespace": namespace,
                "default_branch": "main",
            },
        )
        return replace(request, segments=("repositories",), is_repeatable=False)

    def protection_rules(self) -> Request:
        """The branch protection rules."""
        return self._to("GET", "settings", "branch_protection", doing="read the branch protection")

    def set_protection_rules(self, patterns: Sequence[str], etag: str) -> Request:
        """Other branch protection rules, unless those of the etag have been changed."""
        request = self._to(
            "PUT",
            "settings",
            "branch_protection",
            doing="set the branch protection",
            body=[{"pattern": pattern} for pattern in patterns],
        )
        # lakeFS 1.84 gives an empty etag where no rule was ever set, and does not take it back.
        condition = {"if-match": etag} if etag else {}
        return replace(request, headers={**request.headers, **condition})

    def probe(self, branch: str, path: str) -> Request:
        """A write that leaves nothing: the removal of an object that is not there."""
        return self._to(
            "DELETE",
            "branches",
            branch,
            "objects",
            doing=f"protect branch {branch}",
            about=f"branch {branch}",
            query={"path": path, "no_tombstone": "true"},
        )

    def commit_of(self, ref: str) -> Request:
        """The commit a ref stands for."""
        return self._to(
            "GET", "commits", ref, doing=f"read the commit of {ref}", about=f"ref {ref}"
        )

    def log(self, ref: str, *, first_parent: bool) -> Request:
        """The commits that lead to a ref."""
        return self._to(
            "GET",
            "refs",
            ref,
            "commits",
            doing=f"list the commits of {ref}",
            about=f"ref {ref}",
            query={"first_parent": _said(first_parent)},
        )

    def branches(self, prefix: str) -> Request:
        """The branches whose names start with a prefix."""
        return self._to("GET", "branches", doing="list the branches", query={"prefix": prefix})

    def branch(self, name: str) -> Request:
        """A branch's head."""
        return self._to(
            "GET", "branches", name, doing=f"look up branch {name}", about=f"branch {name}"
        )

    def create_branch(self, name: str, source: str) -> Request:
        """A new branch at a ref."""
        request = self._to(
            "POST",
            "branches",
            doing=f"create branch {name} from {source}",
            about=f"ref {source}",
            body={"name": name, "source": source},
        )
        return replace(request, subject=name, is_repeatable=False)

    def delete_branch(self, name: str) -> Request:
        """The end of a branch."""
        return replace(self.branch(name), method="DELETE", doing=f"delete branch {name}")

    def list_objects(self, ref: str, prefix: str, *, metadata: bool) -> Request:
        """The objects below a prefix."""
        return self._to(
            "GET",
            "refs",
            ref,
            "objects",
            "ls",
            doing=f"list the objects of {ref}",
            about=f"ref {ref}",
            query={"prefix": prefix, "user_metadata": _said(metadata)},
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

    def delete_objects(self, branch: str, paths: Sequence[str]) -> Request:
        """The removal of up to 1 000 objects."""
        return self._to(
            "POST",
            "branches",
            branch,
            "objects",
            "delete",
            doing=f"delete objects from branch {branch}",
            about=f"branch {branch}",
            body={"paths": list(paths)},
        )

    def uncommitted(self, branch: str) -> Request:
        """What is staged on a branch."""
        return self._to(
            "GET",
            "branches",
            branch,
            "diff",
            doing=f"list what is staged on branch {branch}",
            about=f"branch {branch}",
        )

    def discard(self, branch: str) -> Request:
        """The end of what is staged on a branch."""
        return self._to(
            "PUT",
            "branches",
            branch,
            doing=f"reset branch {branch}",
            about=f"branch {branch}",
            body={"type": "reset"},
        )

    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> Request:
        """A commit of what is staged on a branch."""
        request = self._to(
            "POST",
            "branches",
            branch,
            "commits",
            doing=f"commit to branch {branch}",
            about=f"branch {branch}",
            body={"message": message, "metadata": dict(metadata)},
        )
        return replace(request, is_repeatable=False, is_slow=True)

    def diff(self, left: str, right: str, prefix: str, *, since_base: bool) -> Request:
        """What differs at one ref from another."""
        return self._to(
            "GET",
            "refs",
            left,
            "diff",
            right,
            doing=f"compare {left} with {right}",
            about=f"ref {left} or {right}",
            query={"prefix": prefix, "type": "three_dot" if since_base else "two_dot"},
        )

    def merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        strategy: str | None,
    ) -> Request:
        """A merge of a ref into a branch."""
        request = self._to(
            "POST",
            "refs",
            source,
            "merge",
            destination,
            doing=f"merge {source} into {destination}",
            about=f"ref {source} or branch {destination}",
            body={
                "message": message,
                "metadata": dict(metadata),
                **({"strategy": strategy} if strategy else {}),
            },
        )
        return replace(request, is_repeatable=False, is_slow=True)

    def merge_base(self, source: str, destination: str) -> Request:
        """The common ancestor a merge would use."""
        return self._to(
            "GET",
            "refs",
            source,
            "merge",
            destination,
            doing=f"find the common ancestor of {source} and {destination}",
            about=f"ref {source} or {destination}",
        )

    def tags(self) -> Request:
        """The tags."""
        return self._to("GET", "tags", doing="list the tags")

    def tag(self, name: str) -> Request:
        """A tag's commit."""
        return self._to("GET", "tags", name, doing=f"read tag {name}", about=f"tag {name}")

    def create_tag(self, name: str, commit: str) -> Request:
        """A new tag."""
        request = self._to(
            "POST",
            "tags",
            doing=f"tag commit {commit} as {name}",
            about=f"commit {commit}",
            body={"id": name, "ref": commit},
        )
        return replace(request, subject=name, is_repeatable=False)

    def _to(
        self,
        method: Method,
        *segments: str,
        doing: str,
        about: str | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Request:
        if "" in segments:
            raise NotFoundError(
                "not-in-lakefs",
                f"cannot {doing}: an empty name names nothing",
                where=(("repository", self.repository),),
                unchanged="nothing was read or written",
                hint="see what there is: ops round list, ops dataset log",
            )
        return Request(
            method=method,
            segments=("repositories", self.repository, *segments),
            doing=doing,
            about=about or f"repository {self.repository}",
            subject=segments[1] if len(segments) > 1 else self.repository,
            query=query or {},
            body=None if body is None else json.dumps(body).encode(),
            headers={} if body is None else {"content-type": "application/json"},
        )


def _said(flag: bool) -> str:
    return "true" if flag else "false"
