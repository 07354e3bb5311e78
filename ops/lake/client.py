"""`ops.ports.Lake` on a real lakeFS.

Owns what lakeFS's answers mean to ops. Does not decide what to do about them (the runner does), and
takes no lock: of two commits at once on one branch, lakeFS 1.84 fails one.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ops import crew
from ops.core.records import CommitId
from ops.errors import ConflictError, NotFoundError, UnavailableError
from ops.lake import failures
from ops.lake.answers import change_of, commit_of, named_commit_of, object_of
from ops.lake.failures import Site
from ops.lake.requests import Requests
from ops.lake.transport import Options, Sendable, Transport
from ops.lake.wire import PAGE_LENGTH, Reply
from ops.ports import Change, Commit, StoredObject, Upload

if TYPE_CHECKING:
    from ops.lake.sdk import Calls

Answer = TypeVar("Answer")

PROTECTION_WAIT_S = 8.0
PROTECTION_POLL_S = 0.25
_RULE_TRIES = 5


class LakeFS:
    """One repository on a real lakeFS. Threads may share it; it connects when first asked."""

    def __init__(
        self,
        url: str,
        access_key_id: str,
        secret_access_key: str,
        repository: str,
        *,
        concurrency: int = 32,
        timeout_s: float = 60.0,
        tries: int = 4,
        on_request: Callable[[str, str], None] | None = None,
    ) -> None:
        """Name the server, the credentials and the repository.

        Args:
            url: the server's address; `/api/v1` at its end is let go.
            access_key_id: who asks.
            secret_access_key: what proves it.
            repository: its name.
            concurrency: how many requests are in flight at most.
            timeout_s: how long the server may be silent; ten times as long where hooks run.
            tries: how often a request that may be repeated is sent at most.
            on_request: called with method and path before each request is sent, on any thread.

        Raises:
            ConfigurationError: the address is none of a server.
        """
        address = url.rstrip("/").removesuffix("/api/v1").rstrip("/")
        self._site = Site(url=address, repository=repository)
        self._requests = Requests(repository=repository)
        self._concurrency = concurrency
        self._transport = Transport(
            self._site,
            access_key_id,
            secret_access_key,
            options=Options(
                connections=concurrency, timeout_s=timeout_s, tries=tries, on_request=on_request
            ),
        )

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return self._site.url

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._site.repository

    def server_version(self) -> str:
        """The server's version, as `1.84.0`. One request."""
        request = self._calls.config()
        return self._ask(request, lambda answer: str(answer["version_config"]["version"]))

    def repository_exists(self) -> bool:
        """Say whether the repository is there. One request."""
        request = self._calls.find_repository()
        return self._send_unless(request, 404, "repository not found") is not None

    def create_repository(self, namespace: str) -> bool:
        """Create the repository with branch main; False if it was there already. One request.

        Raises:
            ConflictError: the storage namespace belongs to another repository.
            ConfigurationError: lakeFS cannot use the storage namespace.
        """
        request = self._calls.create_repository(namespace)
        return self._send_unless(request, 409, "not unique") is not None

    def is_protected(self, branch: str) -> bool:
        """Say whether a protection rule names the branch. One request."""
        patterns, _ = self._protection_rules()
        return any(fnmatchcase(branch, pattern) for pattern in patterns)

    def protect(self, branch: str) -> None:
        """Forbid direct writes to a branch that is there, keeping other rules.

        Repeatable. Two to four requests, plus a wait until it bites: a server heeds a new rule
        after 3 to 6 s. Where several servers share the load, only the one that answers is waited
        for.

        Raises:
            UnavailableError: others keep changing the rules, or the server does not heed them.
        """
        for _ in range(_RULE_TRIES):
            patterns, etag = self._protection_rules()
            request = self._calls.set_protection_rules([*patterns, branch], etag)
            is_named = any(fnmatchcase(branch, pattern) for pattern in patterns)
            if not is_named and self._send_unless(request, 412, "precondition failed") is None:
                continue
            # The first rule of all cannot be set on a condition, so another's may be written over
            # it: then it never bites, or is gone again.
            if self._is_refused(branch) and (etag or self.is_protected(branch)):
                return
        raise UnavailableError(
            "not-protected",
            f"branch {branch} is not protected yet: the server does not heed the rule",
            subject=branch,
            where=self._site.where,
            unchanged="nothing was written to the branch",
            hint="run the same command again",
        )

    def find_commit(self, ref: str) -> CommitId | None:
        """The commit a branch, tag, commit id or expression (`main~1`) stands for, or None.

        None too where there is no such repository. One request.
        """
        try:
            return self.commit_facts(ref).id
        except NotFoundError:
            return None

    def commit_facts(self, ref: str) -> Commit:
        """What the commit of a ref says of itself. One request.

        Raises:
            NotFoundError: there is no such ref.
        """
        return self._ask(self._requests.commit_of(ref), commit_of)

    def log(self, ref: str, *, first_parent: bool = False) -> Iterator[Commit]:
        """The commits from a ref back to the first, newest first, lazily.

        One request a 1 000 commits.

        Raises:
            NotFoundError: there is no such ref.
        """
        return self._list(
            lambda after: self._calls.log(ref, after, first_parent=first_parent), commit_of
        )

    def branches(self, prefix: str = "") -> Iterator[tuple[str, CommitId]]:
        """Branches with their heads, by name. One request a 1 000."""
        return self._list(lambda after: self._calls.branches(prefix, after), named_commit_of)

    def create_branch(self, name: str, source: str) -> bool:
        """Create a branch at a ref; False if a branch of that name is there already. One request.

        Raises:
            NotFoundError: there is no such source.
            ConflictError: a tag has that name.
            InvalidDataError: no branch can have that name.
        """
        request = self._calls.create_branch(name, source)
        return self._send_unless(request, 409, "branch already exists") is not None

    def delete_branch(self, name: str) -> bool:
        """Delete a branch, with what is staged on it; False if there is none. One request.

        Raises:
            RefusedError: it is the repository's default branch.
        """
        request = self._calls.delete_branch(name)
        return self._send_unless(request, 404, "branch not found") is not None

    def list_objects(
        self, ref: str, prefix: str = "", *, metadata: bool = False
    ) -> Iterator[StoredObject]:
        """Objects below a prefix, by path; on a branch, staged ones too.

        One request a 1 000, lazily.

        Raises:
            NotFoundError: there is no such ref.
        """
        return self._list(
            lambda after: self._requests.list_objects(ref, prefix, after, metadata=metadata),
            object_of,
        )

    def read(self, ref: str, path: str) -> bytes | None:
        """An object's bytes; None where there is no such object, or no such ref. One request."""
        reply = self._send_unless(self._requests.read(ref, path), 404, "^not found")
        return None if reply is None else reply.data

    def checksums_at(self, refs: Iterable[str], path: str) -> Iterator[str | None]:
        """One object's checksum at each ref, in their order; None where it is not there.

        One request a ref, many in flight; lazily.
        """
        # lakeFS can filter a log by an object, but passes over every merge then, and a first-parent
        # log of main is nothing else (seen in 1.84).

        def look(ref: str, stop: threading.Event) -> str | None:
            request = self._requests.look_at(ref, path)
            reply = self._send_unless(request, 404, "^not found", stop=stop)
            return reply and self._read(reply, request, lambda entry: object_of(entry).checksum)

        return (found for _, found in crew.in_order(look, refs, workers=self._concurrency))

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, in the order of `paths`, many requests in flight; flat memory.

        Raises:
            NotFoundError: one of them is not there.
        """

        def fetch(path: str, stop: threading.Event) -> bytes:
            return self._transport.send(self._requests.read(ref, path), stop=stop).data

        return crew.in_order(fetch, paths, workers=self._concurrency)

    def write_many(
        self,
        branch: str,
        uploads: Iterable[Upload],
        *,
        done: Callable[[Upload], None] | None = None,
    ) -> int:
        """Stage objects on a branch and give their number.

        Many requests in flight, flat memory; repeatable. Of two uploads to one path, either may be
        the one that stays. `done` is called on the caller's thread for each object that is stored.

        Raises:
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
            InvalidDataError: lakeFS cannot hold an object of that path or metadata.
        """

        def store(upload: Upload, stop: threading.Event) -> None:
            self._transport.send(self._requests.upload(branch, upload), stop=stop)

        count = 0
        for upload, _ in crew.in_any_order(store, uploads, workers=self._concurrency):
            count += 1
            if done is not None:
                done(upload)
        return count

    def write_if_absent(self, branch: str, upload: Upload) -> bool:
        """Stage one object unless an object of that path is there; False if one is.

        One request, atomic; where it gets no answer, it is not known whether the object was stored.
        A protected branch that has the object answers False.

        Raises:
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
            InvalidDataError: lakeFS cannot hold an object of that path or metadata.
        """
        request = self._requests.upload(branch, upload, only_if_absent=True)
        return self._send_unless(request, 412, "path already exists") is not None

    def delete_many(self, branch: str, paths: Sequence[str]) -> None:
        """Stage the removal of objects; those that are not there are passed over.

        One request a 1 000, and one for the branch: where there is none, lakeFS 1.84 would answer
        that all went well.

        Raises:
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
        """
        if not paths:
            return
        self._transport.send(self._calls.branch(branch))
        for start in range(0, len(paths), PAGE_LENGTH):
            request = self._requests.delete_objects(branch, paths[start : start + PAGE_LENGTH])
            for failed in self._ask(request, _deletion_failures):
                self._refuse(failed, request)

    def uncommitted(self, branch: str) -> Iterator[Change]:
        """What is staged on a branch and differs from its head. One request a 1 000, lazily.

        Raises:
            NotFoundError: there is no such branch.
        """
        return self._list(lambda after: self._requests.uncommitted(branch, after), change_of)

    def discard(self, branch: str) -> None:
        """Drop everything staged on a branch. One request.

        Raises:
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
        """
        self._transport.send(self._calls.discard(branch))

    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> CommitId | None:
        """Commit what is staged; None where there is nothing to commit. One request.

        Raises:
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected, or a hook of the server refused (code `gate`).
        """
        request = self._calls.commit(branch, message, metadata)
        reply = self._send_unless(request, 400, "no changes")
        return reply and self._read(reply, request, lambda answer: CommitId(answer["id"]))

    def diff(
        self, left: str, right: str, prefix: str = "", *, since_base: bool = False
    ) -> Iterator[Change]:
        """What differs at `right` from `left`, by path, lazily; of a branch, what is committed.

        With `since_base`: what `right` changed since their common ancestor, an object both sides
        changed showing as CONFLICT. One request a 1 000.

        Raises:
            NotFoundError: there is no such ref.
        """
        return self._list(
            lambda after: self._requests.diff(left, right, prefix, after, since_base=since_base),
            change_of,
        )

    def merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        keep_destination: bool = False,
    ) -> CommitId | None:
        """Merge what is committed at a ref into a branch; None where it has nothing new.

        One request. `keep_destination` settles every object both sides changed for the destination.

        Raises:
            NotFoundError: there is no such source or destination.
            ConflictError: both sides changed an object and `keep_destination` is false.
            RefusedError: a hook of the server refused (code `gate`), or something is staged on the
                destination (code `dirty-branch`).
        """
        strategy = "dest-wins" if keep_destination else None
        return self._merge(source, destination, message, metadata, strategy=strategy)

    def _merge(
        self,
        source: str,
        destination: str,
        message: str,
        metadata: Mapping[str, str],
        *,
        strategy: str | None,
    ) -> CommitId | None:
        merge = {"message": message, "metadata": dict(metadata), "strategy": strategy}
        request = self._calls.merge(source, destination, merge)
        reply = self._send_unless(request, 400, "no changes")
        return reply and self._read(reply, request, lambda answer: CommitId(answer["reference"]))

    def merge_base(self, source: str, destination: str) -> CommitId:
        """The common ancestor a merge would use. One request.

        Raises:
            NotFoundError: there is no such source or destination.
        """
        request = self._calls.merge_base(source, destination)
        return self._ask(request, lambda answer: CommitId(answer["base_commit_id"]))

    def tags(self) -> Iterator[tuple[str, CommitId]]:
        """Tags with their commits, by name. One request a 1 000."""
        return self._list(self._calls.tags, named_commit_of)

    def create_tag(self, name: str, commit: CommitId) -> bool:
        """Tag a commit; False if the tag is there already at the same commit. One or two requests.

        Raises:
            NotFoundError: there is no such commit.
            ConflictError: the tag names another commit, or a branch has that name.
            InvalidDataError: no tag can have that name.
        """
        request = self._calls.create_tag(name, commit)
        if self._send_unless(request, 409, "tag already exists") is not None:
            return True
        _, tagged = self._ask(self._calls.tag(name), named_commit_of)
        if tagged == commit:
            return False
        raise ConflictError(
            "tag-elsewhere",
            f"tag {name} names another commit",
            subject=name,
            where=(*self._site.where, ("it names", tagged), ("it was to name", commit)),
            unchanged="the tag stays where it is",
            hint="see what both commits hold: ops dataset log",
        )

    @cached_property
    def _calls(self) -> "Calls":
        # Only who asks for one waits for the SDK's import.
        from ops.lake.sdk import Calls

        return Calls(self.repository, self._transport)

    def _send_unless(
        self, request: Sendable, status: int, says: str, *, stop: threading.Event | None = None
    ) -> Reply | None:
        """Send a request; None where lakeFS refuses it with this status and these words."""
        reply = self._transport.send(request, accept=(status,), stop=stop)
        if reply.status != status:
            return reply
        if re.search(says, reply.said or "", re.IGNORECASE):
            return None
        return self._refuse(reply, request)

    def _refuse(self, reply: Reply, request: Sendable) -> NoReturn:
        raise failures.refused(reply, request, self._site)

    def _ask(self, request: Sendable, reader: Callable[[Any], Answer]) -> Answer:
        """Send a request and read the answer."""
        return self._read(self._transport.send(request), request, reader)

    def _read(self, reply: Reply, request: Sendable, reader: Callable[[Any], Answer]) -> Answer:
        try:
            return reader(json.loads(reply.data))
        except (ValueError, KeyError, TypeError) as error:
            raise failures.foreign(reply, request, self._site) from error

    def _list(
        self, page: Callable[[str], Sendable], reader: Callable[[Any], Answer]
    ) -> Iterator[Answer]:
        """Every entry of a listing; each page is asked for when the one before is used up."""

        def page_of(answer: Any) -> tuple[list[Answer], str | None]:  # noqa: ANN401 - decoded JSON
            turn = answer["pagination"]
            entries = [reader(entry) for entry in answer["results"]]
            return entries, turn["next_offset"] if turn["has_more"] else None

        after: str | None = ""
        while after is not None:
            entries, after = self._ask(page(after), page_of)
            yield from entries

    def _protection_rules(self) -> tuple[list[str], str]:
        """The patterns of protected branches, and the etag that stands for them."""
        request = self._calls.protection_rules()
        reply = self._transport.send(request)
        patterns = self._read(
            reply, request, lambda rules: [str(rule["pattern"]) for rule in rules]
        )
        return patterns, reply.etag

    def _is_refused(self, branch: str) -> bool:
        """Say whether the branch refuses a write that would leave nothing; waits until it does."""
        request = self._calls.probe(branch)
        deadline = time.monotonic() + PROTECTION_WAIT_S
        while self._send_unless(request, 403, "protected branch") is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(PROTECTION_POLL_S)
        return True


def _deletion_failures(answer: Any) -> list[Reply]:  # noqa: ANN401 - decoded JSON
    """What each object that could not be deleted would have been answered alone."""
    return [
        Reply(status=failed["status_code"], data=json.dumps(failed).encode())
        for failed in answer["errors"]
    ]
