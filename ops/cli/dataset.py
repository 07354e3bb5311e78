"""`ops dataset`: versions."""

from typing import Annotated

import typer

from ops.cli.output import Result, Table
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.core.snippets import KEY, SECRET, snippets

app = typer.Typer(help="Versions of the dataset.", no_args_is_help=True)

Ref = Annotated[str, typer.Argument(help="A branch, tag, commit id, or expression like main~1.")]


@verb(app, "dataset", "show")
def show(session: Session, ref: Ref = "main") -> Result:
    """Show a version's card."""
    from ops.runner.dataset import read_card

    card = read_card(session.context(), ref)
    assert isinstance(card, dict), "read_card refuses anything else"  # noqa: S101
    body: list[str | Table] = [
        Table(
            columns=("figure", "value"),
            rows=[(name, str(value)) for name, value in card.items() if _is_plain(value)],
        )
    ]
    for name in ("tasks", "labels", "annotators"):
        body += ["", Table(columns=(name, "count"), rows=_pairs(card.get(name)))]
    return Result(data=card, body=body)


def _is_plain(value: Json) -> bool:
    return not isinstance(value, dict | list)


def _pairs(value: Json) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    return [
        (
            name,
            ", ".join(f"{count} {what}" for what, count in entry.items())
            if isinstance(entry, dict)
            else str(entry),
        )
        for name, entry in value.items()
    ]


@verb(app, "dataset", "uri")
def uri(session: Session, ref: Ref = "main") -> Result:
    """Print where a version is read over S3, with ready snippets. Credentials by name only."""
    from ops.runner.dataset import resolve

    context = session.context()
    commit = resolve(context, ref)
    # The gateway takes branches, tags and commit ids, but no main~1.
    name = ref if "~" not in ref and "^" not in ref and "@" not in ref else commit
    lake = context.lake
    codes = snippets(repository=lake.repository, ref=name, endpoint=lake.url)
    place = f"s3://{lake.repository}/{name}/"
    body = [
        f"uri       {place}",
        f"endpoint  {lake.url}",
        f"commit    {commit}",
        f'keys      {KEY} and {SECRET}; for the local stack: eval "$(ops local env)"',
    ]
    for library, code in codes.items():
        body += ["", f"# {library}", code.rstrip()]
    return Result(
        data={
            "uri": place,
            "endpoint": lake.url,
            "commit": commit,
            "ref": name,
            "access_key_variable": KEY,
            "secret_key_variable": SECRET,
            "snippets": dict(codes),
        },
        body=body,
    )
