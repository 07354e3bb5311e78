"""What only a check-up asks a real lakeFS: whether it can sign, and an address that it signed."""

from dataclasses import replace

from ops.lake.mending import MendableLakeFS


class ProbedLakeFS(MendableLakeFS):
    """One repository on a real lakeFS, for `ops doctor`."""

    def can_sign(self) -> bool:
        """Say whether the server's store can be signed for at all. One request."""
        return self._ask(
            self._calls.config(),
            lambda answer: answer["storage_config"]["pre_sign_support"] is True,
        )

    def any_object(self, ref: str) -> str | None:
        """The path of the first object at a ref, or None. One request.

        Raises:
            NotFoundError: there is no such ref.
        """
        return next((found.path for found in self.list_objects(ref)), None)

    def signed_address(self, ref: str, path: str) -> str:
        """An address that gives the object's bytes to whoever has it, for some minutes.

        One request.

        Raises:
            NotFoundError: there is no such object.
            UnavailableError: the server cannot sign.
        """
        request = self._requests.look_at(ref, path)
        signed = replace(request, query={**request.query, "presign": "true"})
        return self._ask(signed, lambda entry: str(entry["physical_address"]))
