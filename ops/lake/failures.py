"""What lakeFS's refusals mean, in the errors of ops.

Owns the table of what lakeFS 1.84 answers and which of it may pass by itself. Pure: sends nothing.
"""

import re
from dataclasses import dataclass

from ops.errors import (
    ConfigurationError,
    ConflictError,
    DeniedError,
    InternalError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    RefusedError,
    UnavailableError,
)
from ops.lake.wire import Intent, Reply

_RUN_AGAIN = "run the same command again: what is done already is not done twice"
_NOTHING = "nothing was changed by this request"
_CHECK_URL = "check lakeFS's address: ops config show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Which server and repository an error is about."""

    url: str
    repository: str

    @property
    def where(self) -> tuple[tuple[str, str], ...]:
        """The facts every error about lakeFS shows."""
        return (("lakeFS", self.url), ("repository", self.repository))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """An answer of lakeFS and what it means. The first rule that fits counts."""

    statuses: tuple[int, ...]
    says: str
    error: type[OpsError]
    code: str
    message: str
    hint: str
    shows_said: bool = False


_RULES = (
    _Rule(
        statuses=(401,),
        says=r"insufficient permissions|^Unauthorized$",
        error=DeniedError,
        code="lakefs-forbidden",
        message="these credentials may not {doing}",
        hint="use credentials that may, or have these given the right",
    ),
    # A server whose database is down also answers 401 "error authenticating request", while its
    # health check stays 200.
    _Rule(
        statuses=(401,),
        says="",
        error=DeniedError,
        code="lakefs-credentials",
        message="lakeFS does not accept the credentials",
        hint="check the access key and secret (ops config show), and that lakeFS's database is up: "
        "without it, lakeFS answers the same",
    ),
    _Rule(
        statuses=(403,),
        says="protected branch",
        error=RefusedError,
        code="protected-branch",
        message="cannot {doing}: the branch is protected, only merges change it",
        hint="write to another branch and merge it",
    ),
    _Rule(
        statuses=(403,),
        says="default branch",
        error=RefusedError,
        code="default-branch",
        message="cannot {doing}: it is the repository's default branch",
        hint="leave it: it holds the versions",
    ),
    _Rule(
        statuses=(403,),
        says="read-only repository",
        error=RefusedError,
        code="read-only-repository",
        message="cannot {doing}: the repository is read-only",
        hint="name another one with --repository",
    ),
    _Rule(
        statuses=(403,),
        says="",
        error=DeniedError,
        code="lakefs-forbidden",
        message="these credentials may not {doing}",
        hint="use credentials that may, or have these given the right",
        shows_said=True,
    ),
    _Rule(
        statuses=(404,),
        says="invalid API endpoint",
        error=ConfigurationError,
        code="lakefs-version",
        message="this lakeFS does not know how to {doing}",
        hint="this ops works with lakeFS 1.84: compare the version the lakeFS UI shows",
    ),
    _Rule(
        statuses=(404,),
        says="repository not found",
        error=NotFoundError,
        code="no-repository",
        message="there is no lakeFS repository {repository}",
        hint="create it with: ops init\nor name another one with --repository",
    ),
    _Rule(
        statuses=(404,),
        says="",
        error=NotFoundError,
        code="not-in-lakefs",
        message="cannot {doing}: there is no {about}",
        hint="see what there is: ops round list, ops dataset log",
    ),
    # GET commits/{ref} answers 500 to a malformed ref, everything else 400.
    _Rule(
        statuses=(400, 500),
        says=r"could not parse modifier|^(ref: )*(ref: invalid value|should point to a commit)",
        error=NotFoundError,
        code="not-in-lakefs",
        message="cannot {doing}: there is no {about}",
        hint="a ref is written main, v7, main~1, or as a commit id",
    ),
    _Rule(
        statuses=(400,),
        says="dirty branch",
        error=RefusedError,
        code="dirty-branch",
        message="cannot {doing}: something is staged there and not committed",
        hint="on main: ops doctor --fix\non another branch look at it, and take it back, in the "
        "lakeFS UI: Uncommitted Changes",
    ),
    _Rule(
        statuses=(400,),
        says="namespace already in use",
        error=ConflictError,
        code="namespace-in-use",
        message="cannot {doing}: its storage namespace belongs to another repository",
        hint="choose another storage namespace, or restore the repository that was there",
    ),
    _Rule(
        statuses=(400,),
        says='invalid namespace|failed to access storage|"/storage_namespace"',
        error=ConfigurationError,
        code="storage-namespace",
        message="cannot {doing}: lakeFS cannot use its storage namespace",
        hint="set storage_namespace to one of lakeFS's own storage: ops config show",
        shows_said=True,
    ),
    _Rule(
        statuses=(400,),
        says=r"argument path|\"path\" in query",
        error=InvalidDataError,
        code="object-path",
        message="cannot {doing}: lakeFS takes paths of 1 to 1024 bytes",
        hint="give the file a shorter name",
    ),
    _Rule(
        statuses=(400, 500),
        says=r"branch id: invalid|tag id: invalid|argument (branch|tagID|name)|at \"/name\"",
        error=InvalidDataError,
        code="lakefs-name",
        message="cannot {doing}: lakeFS does not take that name",
        hint="use letters, digits, - and _",
    ),
    _Rule(
        statuses=(409,),
        says="(branch name|tag ID) .*conflict found",
        error=ConflictError,
        code="name-taken",
        message="cannot {doing}: a branch and a tag may not share a name",
        hint="choose another name",
    ),
    _Rule(
        statuses=(409,),
        says="^$|conflict found",
        error=ConflictError,
        code="merge-conflict",
        message="cannot {doing}: both sides changed the same object",
        hint="see which: ops round diff",
    ),
    _Rule(
        statuses=(410,),
        says="",
        error=NotFoundError,
        code="object-data-gone",
        message="cannot {doing}: it is listed, but its bytes are gone from the store",
        hint="restore them in the bucket they were imported from",
    ),
    _Rule(
        statuses=(500,),
        says="response code 416",
        error=InvalidDataError,
        code="object-data-cut",
        message="cannot {doing}: its bytes in the bucket are fewer than those that were imported",
        hint="restore them in the bucket they were imported from",
    ),
    _Rule(
        statuses=(400, 500),
        says=r"(googleapi|storage|response code).*\b403\b",
        error=DeniedError,
        code="lakefs-bucket-forbidden",
        message="cannot {doing}: lakeFS's own account may not use the bucket of these bytes",
        hint="give lakeFS's service account roles/storage.objectViewer on a bucket of pictures, "
        "roles/storage.objectAdmin on the one it stores in",
    ),
    _Rule(
        statuses=(400,),
        says="expected storage type|not valid for block adapter",
        error=ConfigurationError,
        code="other-storage",
        message="cannot {doing}: the repository's storage is of another kind than the bucket",
        hint="import into a repository whose storage_namespace is in Google Cloud Storage",
        shows_said=True,
    ),
    _Rule(
        statuses=(500,),
        says="invalid action",
        error=ConfigurationError,
        code="broken-gate",
        message="cannot {doing}: a file in _lakefs_actions/ is malformed, so lakeFS refuses",
        hint="on main: ops doctor --fix\non another branch mend or remove the file; lakeFS's log "
        "says which it is",
        shows_said=True,
    ),
    # A commit answers 400, an upload 500.
    _Rule(
        statuses=(400, 500, 507),
        says="no space left|disk quota exceeded",
        error=UnavailableError,
        code="lakefs-disk-full",
        message="cannot {doing}: the disk of lakeFS is full",
        hint="free space on the server, then " + _RUN_AGAIN,
    ),
    _Rule(
        statuses=(423, 429, 500),
        says="predicate failed|locked|Too many|slow down",
        error=UnavailableError,
        code="lakefs-busy",
        message="lakeFS did not {doing}: others write to the same place{tries}",
        hint=_RUN_AGAIN,
    ),
    _Rule(
        statuses=(400, 405, 411, 413, 414, 415, 422, 501),
        says="",
        error=InternalError,
        code="lakefs-request",
        message="lakeFS did not take the request to {doing}",
        hint="this ops works with lakeFS 1.84; if the server is one, report this as a bug",
        shows_said=True,
    ),
)
_BUSY = re.compile(r"predicate failed|locked|Too many|slow down", re.IGNORECASE)
_HOPELESS = re.compile(
    r"no space left|disk quota|invalid action|invalid value|could not parse|required value"
    r"|response code 4\d\d|googleapi: Error 4\d\d"
)
_HOOK = re.compile(r"on action '(?P<action>[^']*)' hook '(?P<hook>[^']*)': (?P<said>.*)")
_POINT = re.compile(r"^\s*\* (.*)", re.MULTILINE)
_PASSING_STATUSES = frozenset({423, 429, 500, 502, 503, 504})


def may_pass(reply: Reply, request: Intent) -> bool:
    """Say whether sending the request again may help, and cannot do harm.

    A request that is not repeatable is sent again only where lakeFS itself says that it did not
    carry it out: a proxy's 502, 503 or 504 leaves that open.
    """
    if reply.status not in _PASSING_STATUSES:
        return False
    said = reply.said or ""
    if _HOPELESS.search(said):
        return False
    return request.is_repeatable or (reply.said is not None and bool(_BUSY.search(said)))


def refused(reply: Reply, request: Intent, site: Site, *, tries: str = "") -> OpsError:
    """The error that a reply which is no success stands for.

    Args:
        reply: what came back.
        request: what was asked.
        site: of whom.
        tries: how often and how long it was tried, as " after 4 tries in 7 s"; empty for once.
    """
    if reply.status >= 500 and reply.said is None:  # noqa: PLR2004 - a proxy's answer, any 5xx
        return unreachable(f"an answer of status {reply.status}", request, site, tries=tries)
    if reply.status not in {401, 403} and reply.said is None:
        return foreign(reply, request, site)
    said = reply.said or ""
    if reply.status == 412 and "hook aborted" in said:  # noqa: PLR2004 - precondition failed
        return _gate(said, request, site)
    for rule in _RULES:
        if reply.status in rule.statuses and re.search(rule.says, said, re.IGNORECASE):
            return _ruled(rule, said, request, site, tries=tries)
    return UnavailableError(
        "lakefs-failed",
        f"lakeFS did not {request.doing}: it failed with status {reply.status}{tries}",
        subject=request.subject,
        where=(*site.where, ("it says", _brief(said))),
        unchanged=_unchanged(request),
        hint=_RUN_AGAIN,
    )


def unreachable(cause: str, request: Intent, site: Site, *, tries: str) -> UnavailableError:
    """The error for a request that got no answer of lakeFS's."""
    return UnavailableError(
        "lakefs-unreachable",
        f"lakeFS did not {request.doing}: {cause}{tries}",
        subject=request.subject,
        where=site.where,
        unchanged=_unchanged(request),
        hint="start it (ops local up), let it be forwarded (ops open --forward, for a stack), or "
        "check its address\n(ops config show); then run the same command again",
    )


def foreign(reply: Reply, request: Intent, site: Site) -> ConfigurationError:
    """The error for an answer that is not lakeFS's: a wrong port, a proxy's page, a redirect."""
    further = (("it redirects to", reply.location),) if reply.location else ()
    return ConfigurationError(
        "not-lakefs",
        f"what answers at {site.url} is not lakeFS (status {reply.status})",
        subject=request.subject,
        where=(*site.where, *further),
        unchanged=_unchanged(request),
        hint=_CHECK_URL,
    )


def _ruled(rule: _Rule, said: str, request: Intent, site: Site, *, tries: str) -> OpsError:
    message = rule.message.format(
        doing=request.doing, about=request.about, repository=site.repository, tries=tries
    )
    return rule.error(
        rule.code,
        message,
        subject=request.subject,
        where=(*site.where, *((("it says", _brief(said)),) if rule.shows_said and said else ())),
        unchanged=_NOTHING,
        hint=rule.hint,
    )


def _gate(said: str, request: Intent, site: Site) -> RefusedError:
    """The refusal of a hook, with its own words and none of lakeFS's around them."""
    hooks = [
        (found["action"], found["hook"], found["said"].removeprefix("action failed: ").strip())
        for found in _HOOK.finditer(said)
    ]
    reason = hooks[0][2] if hooks else "it gives no reason"
    return RefusedError(
        "gate",
        f"cannot {request.doing}: a gate refuses: {reason}",
        subject=request.subject,
        where=(*site.where, *((f"gate {action}/{hook}", text) for action, hook, text in hooks)),
        unchanged=_NOTHING,
        hint=f"mend what the gate names, then run the same command again{_of_age(reason)}",
    )


def _of_age(reason: str) -> str:
    """What else helps where a gate of an older ops meets a kind that is newer."""
    if "which this gate does not know" not in reason:
        return ""
    return "\nmain's gate may be of an older ops: bring it up to date with ops doctor --fix"


def _brief(said: str) -> str:
    """What lakeFS says in one line: the first of its points, else its first line.

    What follows is its schema.
    """
    point = _POINT.search(said)
    return point[1] if point else said.partition("\n")[0]


def _unchanged(request: Intent) -> str:
    if request.method == "GET":
        return "nothing was changed: the request only reads"
    if request.is_repeatable:
        return "what was stored before stays; doing it again does no harm"
    return "whether lakeFS carried it out is not known; the next run looks before it does anything"
