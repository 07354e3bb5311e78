"""`ops.in_place.LakeInPlace` on a real lakeFS: objects whose bytes lie in a bucket already.

lakeFS has two ways to take bytes in place. Its import replaces all there is below a destination,
knows no content type and no metadata, and commits by itself. So an object is staged by what it is
instead (the API that SDKs call internal; lakeFS 1.84 has it): nothing else on the branch is
touched, and it is the object an upload would have made.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from ops import crew
from ops.core.buckets import SCHEME
from ops.errors import InvalidDataError, NotFoundError
from ops.in_place import Loss, Placed
from ops.lake.client import LakeFS

_LOSSES = {"object-data-gone": Loss.GONE, "object-data-cut": Loss.CUT}


class LakeFSInPlace(LakeFS):
    """One repository on a real lakeFS, and its objects whose bytes lie elsewhere."""

    @cached_property
    def _namespace(self) -> str:
        request = self._calls.find_repository()
        return self._ask(request, lambda answer: str(answer["storage_namespace"]))

    def namespace(self) -> str:
        """Where lakeFS stores the repository's own bytes. One request, once.

        Raises:
            NotFoundError: there is no such repository.
        """
        return self._namespace

    def placed(self, ref: str, prefix: str = "") -> Iterator[Placed]:
        """The objects below a prefix whose bytes lie in a bucket, outside the namespace, by path.

        One request a 1 000 objects of any kind, lazily. None where the namespace is in no bucket:
        of files, lakeFS 1.84 does not tell the true address.

        Raises:
            NotFoundError: there is no such ref.
        """
        own = self.namespace().rstrip("/") + "/"
        if not own.startswith(SCHEME):
            return
        listed = self._list(
            lambda after: self._requests.list_objects(ref, prefix, after, metadata=True), _placed
        )
        yield from (found for found in listed if not found.address.startswith(own))

    def place_many(
        self,
        branch: str,
        objects: Iterable[Placed],
        *,
        done: Callable[[Placed], None] | None = None,
    ) -> int:
        """Stage objects whose bytes lie elsewhere, and give their number; copies nothing.

        One request an object, many in flight, flat memory; repeatable.

        Raises:
            InvalidDataError: lakeFS cannot hold an object of that path.
            ConfigurationError: lakeFS's storage is of another kind than the address.
            NotFoundError: there is no such branch.
            RefusedError: the branch is protected.
        """

        def stage(found: Placed, stop: threading.Event) -> None:
            self._transport.send(
                self._requests.place(branch, found.path, _staged(found)), stop=stop
            )

        count = 0
        for found, _ in crew.in_any_order(stage, objects, workers=self._concurrency):
            count += 1
            if done is not None:
                done(found)
        return count

    def losses(self, ref: str, paths: Sequence[str]) -> Iterator[tuple[str, Loss]]:
        """Those of the objects, none of them empty, whose last byte cannot be had, and why.

        One request an object, many in flight, lazily.

        Raises:
            NotFoundError: there is no such object.
            DeniedError: lakeFS may not read the bucket.
        """

        def look(path: str, stop: threading.Event) -> Loss | None:
            try:
                self._transport.send(self._requests.read_end(ref, path), stop=stop)
            except (NotFoundError, InvalidDataError) as error:
                if error.code in _LOSSES:
                    return _LOSSES[error.code]
                raise
            return None

        for path, loss in crew.in_order(look, paths, workers=self._concurrency):
            if loss is not None:
                yield path, loss


def _staged(found: Placed) -> bytes:
    """What lakeFS is told of an object."""
    return json.dumps(
        {
            "physical_address": _quoted(found.address),
            "checksum": found.checksum,
            "size_bytes": found.size_bytes,
            "content_type": found.content_type,
            "metadata": dict(found.metadata),
        }
    ).encode()


def _quoted(address: str) -> str:
    """An address as lakeFS reads it: as a URL, so that `%` and `?` in a name must be escaped."""
    return address.replace("%", "%25").replace("?", "%3F")


def _placed(entry: Any) -> Placed:  # noqa: ANN401 - decoded JSON
    return Placed(
        path=entry["path"],
        address=entry["physical_address"],
        checksum=entry["checksum"],
        size_bytes=entry["size_bytes"],
        content_type=entry.get("content_type") or "",
        metadata=entry.get("metadata") or {},
    )
