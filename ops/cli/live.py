"""What `ops doctor` looks at between this machine and the servers: the stack, the way, the bucket.

Owns which of those looks make sense with the settings in force. What each means: ops/live.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ops.cli.session import Session
from ops.core.health import Diagnosis, failed, healthy, skipped, suspect
from ops.core.names import MAIN
from ops.errors import DeniedError, OpsError, UnavailableError
from ops.local.home import Service

if TYPE_CHECKING:
    from ops.live.signing import Signer
    from ops.stack.file import StackFile

_PATIENCE_S = 8
_ROLES = {
    "storage.objects.get": "roles/storage.objectViewer",
    "storage.objects.list": "roles/storage.objectViewer",
    "storage.buckets.get": "roles/storage.bucketViewer",
}
_RIGHTS = tuple(_ROLES)
_SERVERS = {"lakeFS": "lakefs.url", "Label Studio": "label_studio.url"}


def stack_in_use(session: Session) -> "StackFile | None":
    """The stack whose settings are taken; None where there is none, or it cannot be read."""
    from ops.stack.file import read

    try:
        return read(session.directory)
    except OpsError:
        return None


def examine_reach(session: Session) -> Iterator[Diagnosis]:
    """Look at the way to the servers: a stack's forwards and the programs for them, the clocks.

    One request to each server that is set.
    """
    from ops.live.clock import examine_clocks

    try:
        found = {name: session.settings.find(setting) for name, setting in _SERVERS.items()}
    except OpsError:
        # The look at the settings has said so.
        return
    urls = {name: url for name, url in found.items() if url is not None}
    if stack := stack_in_use(session):
        yield from _stack(session, stack, urls)
    if urls:
        yield examine_clocks(urls)


def not_forwarded(session: Session) -> frozenset[Service]:
    """The servers of a stack without public address that nothing is forwarded to now."""
    from ops.local.loopback import is_free
    from ops.stack.use import FORWARDED_PORTS, forwarded_url

    if stack_in_use(session) is None:
        return frozenset()
    return frozenset(
        one
        for one in Service
        if session.settings.find(f"{one.value.replace('-', '_')}.url") == forwarded_url(one)
        and is_free(FORWARDED_PORTS[one])
    )


def _stack(session: Session, stack: "StackFile", urls: Mapping[str, str]) -> Iterator[Diagnosis]:
    from ops.stack.tools import check_programs
    from ops.stack.use import forwarded_url

    forwarded = {one for one in Service if forwarded_url(one) in urls.values()}
    missing = [one.display_name for one in not_forwarded(session)]
    if missing:
        error = UnavailableError(
            "not-forwarded",
            f"stack {stack.name} has no public address, and nothing is forwarded to "
            f"{' and '.join(sorted(missing))} now",
            subject=stack.name,
            unchanged="nothing was changed",
            hint="in another terminal, and leave it running: ops open --forward",
        )
        yield failed("stack", error)
    else:
        yield healthy("stack", f"{stack.name}, {'forwarded' if forwarded else 'by its addresses'}")
    if not forwarded:
        return
    try:
        check_programs(stack.facts.get("kubeconfig", ""))
    except OpsError as error:
        # Whoever is forwarded to already needs none.
        yield (
            failed("tools", error)
            if missing
            else suspect("tools", error.message, remedy=error.hint)
        )
    else:
        yield healthy("tools", "what forwards is on PATH")


def examine_signatures(lake: "Signer", *, has_lake: bool) -> Iterator[Diagnosis]:
    """Let lakeFS sign an address of main, and use it. Four requests at most."""
    from ops.live.signing import examine_signing

    if has_lake:
        yield examine_signing(lake, MAIN)
    else:
        yield skipped("signing", "lakeFS cannot be asked")


def examine_bucket(session: Session) -> Iterator[Diagnosis]:
    """Look at the bucket of the settings, where one is named: rights, risks, and CORS.

    Two requests to Google Cloud Storage.
    """
    try:
        bucket = session.settings.find("bucket")
        label_studio = session.settings.find("label_studio.url")
    except OpsError:
        return
    if bucket is None:
        return
    yield _bucket(session, bucket)
    if label_studio is not None:
        from ops.live.cors import examine_cors

        yield examine_cors(bucket, label_studio)


def _bucket(session: Session, name: str) -> Diagnosis:
    """Rounds need no rights on it: only who imports from it, or sets it up, does."""
    from ops.bucket import GoogleBucket
    from ops.cli.bucket import lakefs_prefix
    from ops.core.buckets import risks

    bucket = GoogleBucket(name, patience_s=_PATIENCE_S)
    try:
        granted = bucket.granted(_RIGHTS)
        if missing := [right for right in _RIGHTS if right not in granted]:
            return _lacking(name, missing)
        found = list(risks(bucket.facts(), lakefs_prefix(session, name)))
    except DeniedError as error:
        return suspect("bucket", error.message, remedy=error.hint)
    except OpsError as error:
        return failed("bucket", error)
    if found:
        said = f"{name}: {found[0].message}"
        return suspect("bucket", said, remedy="\n".join(one.remedy for one in found))
    return healthy("bucket", f"{name} may be looked at and imported from; nothing unsafe")


def _lacking(name: str, missing: list[str]) -> Diagnosis:
    role = _ROLES["storage.buckets.get" if "storage.buckets.get" in missing else missing[0]]
    return suspect(
        "bucket",
        f"your Google account lacks {', '.join(missing)} on {name}: rounds need none of it, "
        "ops bucket and ops data import do",
        remedy=f"gcloud storage buckets add-iam-policy-binding gs://{name} --member user:YOU "
        f"--role {role}",
    )
