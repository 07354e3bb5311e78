"""Whether lakeFS can sign the addresses of objects, and the store honours what it signs.

Owns one try: an object of main, its address signed by lakeFS, its first byte got by that. Whether
Label Studio can sign is not seen from outside: it signs for a storage of a project only.
"""

from typing import Protocol

from ops.core.health import Diagnosis, failed, healthy, skipped
from ops.errors import ConfigurationError, DeniedError, OpsError, UnavailableError
from ops.live.web import ask

_NAME = "signing"
_GIVEN = (200, 206)
_NOTHING = "nothing was changed"
_MAY_SIGN = (
    "let lakeFS's service account sign for itself: pulumi up; by hand:\n"
    "gcloud iam service-accounts add-iam-policy-binding ACCOUNT --member serviceAccount:ACCOUNT "
    "--role roles/iam.serviceAccountTokenCreator"
)


class Signer(Protocol):
    """A lakeFS, as far as signing goes."""

    @property
    def url(self) -> str:
        """The server's address."""
        ...

    def can_sign(self) -> bool:
        """Say whether its store can be signed for at all. One request."""
        ...

    def any_object(self, ref: str) -> str | None:
        """The path of an object at a ref, or None. One request."""
        ...

    def signed_address(self, ref: str, path: str) -> str:
        """An address that gives the object's bytes to whoever has it. One request."""
        ...


def examine_signing(lake: Signer, ref: str) -> Diagnosis:
    """Let lakeFS sign, and get what it signed. Four requests at most; never raises."""
    try:
        if not lake.can_sign():
            return skipped(_NAME, "lakeFS's store signs no addresses: it gives the bytes itself")
        path = lake.any_object(ref)
    except OpsError as error:
        return failed(_NAME, error)
    if path is None:
        return skipped(_NAME, f"there is no object at {ref}")
    try:
        address = lake.signed_address(ref, path)
    except OpsError as error:
        return failed(_NAME, _cannot_sign(lake.url, error))
    return _got(address)


def _got(address: str) -> Diagnosis:
    """What the store gives for an address that was signed. One request."""
    answer = ask(address, headers={"Range": "bytes=0-0"})
    if answer.status in _GIVEN:
        return healthy(_NAME, "lakeFS signs addresses, and its store honours them")
    return failed(_NAME, _refused(answer.status) if answer.status else _unreachable(address))


def _cannot_sign(url: str, cause: OpsError) -> OpsError:
    error = ConfigurationError(
        "cannot-sign",
        "lakeFS cannot sign addresses of its objects",
        subject=url,
        where=cause.where,
        unchanged=_NOTHING,
        hint=_MAY_SIGN,
    )
    error.__cause__ = cause
    return error


def _unreachable(address: str) -> OpsError:
    return UnavailableError(
        "signed-unreachable",
        "the store whose addresses lakeFS signs does not answer from here",
        # Without the query: that is what opens it.
        subject=address.partition("?")[0],
        unchanged=_NOTHING,
        hint="check the network between here and the store; whoever trains by signed addresses "
        "needs it",
    )


def _refused(status: int) -> OpsError:
    return DeniedError(
        "signed-refused",
        f"the store refuses an address that lakeFS signed (status {status})",
        unchanged=_NOTHING,
        hint="compare the clocks (check clock), then give lakeFS's service account the right to "
        "read the bucket:\nroles/storage.objectUser on it, as pulumi up does",
    )
