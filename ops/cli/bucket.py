"""`ops bucket`: the bucket that pictures and versions lie in."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Table, Warn
from ops.cli.pages import HELP_OPTIONS, HelpfulGroup
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.buckets import SCHEME, CorsRule, Method, check_cors, parse_address, risks, shown
from ops.core.records import Json
from ops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.bucket_port import Bucket
    from ops.core.buckets import BucketFacts

app = typer.Typer(help="The bucket that pictures and versions lie in.", no_args_is_help=True)
_cors = typer.Typer(help="Which web pages may read the bucket.", no_args_is_help=True)
app.add_typer(
    _cors,
    name="cors",
    cls=HelpfulGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)

_MOST_COUNTED = 1_000
_LAKEFS_PREFIX = "lakefs/"
"""Where `pulumi up` has lakeFS write in its bucket."""

BucketName = Annotated[
    str | None,
    typer.Argument(metavar="BUCKET", help="As gs://NAME; else the bucket of the settings."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]


@verb(app, "bucket", "info", takes_repository=False)
def info(session: Session, bucket: BucketName = None) -> Result:
    """Show how a bucket is set up, and warn of what is unsafe for labels.

    Asks it twice: for its settings, and for its first 1000 objects.
    """
    opened = _bucket(session, bucket)
    facts = opened.facts()
    sizes = [
        found.size_bytes for found, _ in zip(opened.objects(), range(_MOST_COUNTED), strict=False)
    ]
    is_all = len(sizes) < _MOST_COUNTED
    found_risks = list(risks(facts, lakefs_prefix(session, facts.name)))
    counted = f"{len(sizes)}{'' if is_all else ' or more'}, {sum(sizes)} bytes in these"
    risky: list[Json] = [
        {"code": risk.code, "message": risk.message, "remedy": risk.remedy} for risk in found_risks
    ]
    return Result(
        data={
            **facts.as_json(),
            "objects": {"count": len(sizes), "size_bytes": sum(sizes), "is_all": is_all},
            "risks": risky,
        },
        body=[Table(columns=("setting", "value"), rows=[*shown(facts), ("objects", counted)])],
        warnings=[
            Warn(code=risk.code, message=f"{risk.message}; next: {risk.remedy}", subject=facts.name)
            for risk in found_risks
        ],
    )


@verb(_cors, "bucket", "cors", "show", takes_repository=False)
def show(session: Session, bucket: BucketName = None) -> Result:
    """Show which web pages may read a bucket."""
    facts = _bucket(session, bucket).facts()
    rows = [(str(number), rule.in_words) for number, rule in enumerate(facts.cors, 1)]
    return Result(
        data={"bucket": facts.name, "cors": [rule.as_json() for rule in facts.cors]},
        body=[Table(columns=("rule", "allows"), rows=rows)] if rows else ["no rule: no web page"],
    )


@verb(_cors, "bucket", "cors", "set", takes_repository=False)
def set_(
    session: Session,
    bucket: BucketName = None,
    *,
    origin: Annotated[
        list[str],
        typer.Option(help="A page's origin, Label Studio's: https://labels.example.org."),
    ],
    method: Annotated[
        list[Method] | None, typer.Option(help="What it may do; GET and HEAD if not said.")
    ] = None,
    response_header: Annotated[
        list[str] | None, typer.Option(help="A header it may read, such as Content-Type.")
    ] = None,
    max_age_s: Annotated[
        int, typer.Option("--max-age-s", help="How long browsers may remember that, in seconds.")
    ] = 3600,
    allow_any_origin: Annotated[
        bool, typer.Option("--allow-any-origin", help="Take --origin * for meant.")
    ] = False,
    dry_run: DryRun = False,
) -> Result:
    """Let web pages of some origins read a bucket, instead of those that may now.

    The options make one rule, which replaces all there are. Label Studio needs it where browsers
    fetch pictures from signed addresses of the bucket.
    """
    rule = check_cors(
        CorsRule(
            origins=tuple(origin),
            methods=tuple(one.value for one in method or (Method.GET, Method.HEAD)),
            response_headers=tuple(response_header or ()),
            max_age_s=max_age_s,
        ),
        allow_any_origin=allow_any_origin,
    )
    return _write(_bucket(session, bucket), (rule,), dry_run=dry_run)


@verb(_cors, "bucket", "cors", "clear", takes_repository=False)
def clear(session: Session, bucket: BucketName = None, *, dry_run: DryRun = False) -> Result:
    """Let no web page read a bucket any more."""
    return _write(_bucket(session, bucket), (), dry_run=dry_run)


def _write(bucket: "Bucket", rules: "Sequence[CorsRule]", *, dry_run: bool) -> Result:
    """Make these the bucket's rules, unless they are; two requests at most."""
    facts = bucket.facts()
    is_same = facts.cors == tuple(rules)
    if not is_same and not dry_run:
        bucket.set_cors(rules, seen=facts)
    return Result(
        data={
            "bucket": facts.name,
            "before": [rule.as_json() for rule in facts.cors],
            "cors": [rule.as_json() for rule in rules],
            "changed": not is_same and not dry_run,
        },
        body=_told(facts, rules, is_same=is_same, dry_run=dry_run),
        status="planned" if dry_run and not is_same else "ok",
    )


def _told(
    facts: "BucketFacts", rules: "Sequence[CorsRule]", *, is_same: bool, dry_run: bool
) -> list[str]:
    if is_same:
        return [f"already so: {SCHEME}{facts.name} is as asked", *(r.in_words for r in rules)]
    gone = [f"  - {rule.in_words}" for rule in facts.cors if rule not in rules]
    come = [f"  + {rule.in_words}" for rule in rules if rule not in facts.cors]
    done = "would change" if dry_run else "changed"
    return [f"{done} the CORS rules of {SCHEME}{facts.name}", *gone, *come]


def _bucket(session: Session, stated: str | None) -> "Bucket":
    """The bucket that is named, or the one of the settings.

    Raises:
        UsageError: what is named is no bucket, or a place in one.
        ConfigurationError: none is named anywhere.
    """
    from ops.bucket import GoogleBucket

    if stated is None:
        return GoogleBucket(session.settings.need("bucket"))
    address = parse_address(SCHEME + stated.removeprefix(SCHEME))
    if address.name:
        raise UsageError(
            "bucket-address",
            f"{stated} is a place in a bucket, and this is about a whole one",
            subject=stated,
            unchanged="nothing was read or written",
            hint=f"name the bucket alone: {SCHEME}{address.bucket}",
        )
    return GoogleBucket(address.bucket)


def lakefs_prefix(session: Session, bucket: str) -> str:
    """Below which names lakeFS writes in the bucket, as far as the settings tell."""
    namespace = session.settings.find("storage_namespace") or ""
    if namespace.startswith(f"{SCHEME}{bucket}/"):
        return parse_address(namespace).name
    return _LAKEFS_PREFIX
