"""`ops open`: the pages of the two servers, and the way to those that have no public address."""

import signal
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.output import Result, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.errors import RefusedError
from ops.local.home import Service, make_private, write_private

if TYPE_CHECKING:
    from ops.stack.file import StackFile
    from ops.stack.forward import Cluster

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "open", takes_repository=False)(open_)


def open_(
    session: Session,
    server: Annotated[
        Service | None, typer.Argument(help="One of the two; both unless given.")
    ] = None,
    *,
    browser: Annotated[bool, typer.Option("--browser", help="Open the pages.")] = False,
    forward: Annotated[
        bool,
        typer.Option(
            "--forward",
            help="Let kubectl forward them to this machine, until Ctrl-C: for a stack without "
            "public address.",
        ),
    ] = False,
) -> Result:
    """Print where Label Studio and lakeFS are.

    With --forward they are reached on fixed ports of this machine, 18080 Label Studio and 18000
    lakeFS, for as long as the command runs; work on in a second terminal.
    """
    wanted = [server] if server else [Service.LABEL_STUDIO, Service.LAKEFS]
    pages = {one: session.settings.need(f"{_name(one)}.url") for one in wanted}
    if forward:
        _forward(session, wanted, pages=list(pages.values()) if browser else [])
    elif browser:
        _browse(list(pages.values()))
    people = _web_addresses(session)
    return Result(
        data={**{_name(one): page for one, page in pages.items()}, "web_addresses": [*people]},
        body=["nothing is forwarded any more"]
        if forward
        else [
            *(f"{one.value:<12} {page}" for one, page in pages.items()),
            *(f"{'for people':<12} {page}" for page in people if page not in pages.values()),
        ],
        warnings=[] if forward else _not_forwarded(session, wanted),
    )


def _name(service: Service) -> str:
    return service.value.replace("-", "_")


def _web_addresses(session: Session) -> Sequence[str]:
    """Where people reach the stack's servers, who pass Identity-Aware Proxy; programs do not."""
    from ops.stack.file import read

    found = read(session.directory)
    return found.facts.get("web_addresses", "").split() if found else ()


def _browse(pages: Sequence[str]) -> None:
    import webbrowser

    for page in pages:
        webbrowser.open(page)


def _forward(session: Session, wanted: Sequence[Service], *, pages: Sequence[str]) -> None:
    """Forward until somebody ends it.

    Raises:
        RefusedError: the servers are reached without, or a port is taken.
        ConfigurationError: a program is missing.
        UnavailableError: a server is not reached.
    """
    from ops.stack.forward import forwarded
    from ops.stack.tools import check_programs

    found = _stack_to_forward(session, wanted)
    check_programs(found.facts["kubeconfig"])
    cluster = _cluster(session.directory, found)
    note = session.reporter.note
    note(f"forward to stack {found.name}")
    try:
        with _ended_by_signals(), forwarded(cluster, wanted) as forwards:
            for one in wanted:
                note(f"{one.display_name}: {session.settings.need(f'{_name(one)}.url')}")
            note("until Ctrl-C; in a second terminal: ops doctor")
            _browse(pages)
            forwards.keep(note)
    except KeyboardInterrupt:
        # That is how it is meant to end.
        return


def _stack_to_forward(session: Session, wanted: Sequence[Service]) -> "StackFile":
    """The stack in use.

    Raises:
        RefusedError: the settings name servers that are reached without.
    """
    from ops.stack.file import read
    from ops.stack.use import forwarded_url

    found = read(session.directory)
    urls = [session.settings.need(f"{_name(one)}.url") for one in wanted]
    if found is not None and urls == [forwarded_url(one) for one in wanted]:
        return found
    raise RefusedError(
        "nothing-to-forward",
        f"the settings name servers that are reached without: {', '.join(urls)}",
        unchanged="nothing was started",
        hint="ops open\nor forward all the same: ops config use --stack NAME --forward",
    )


def _cluster(directory: Path, found: "StackFile") -> "Cluster":
    from ops.stack.file import kubeconfig_in
    from ops.stack.forward import Cluster

    path = kubeconfig_in(directory)
    make_private(path.parent)
    write_private(path, found.facts["kubeconfig"])
    return Cluster(kubeconfig=path.absolute(), namespace=found.facts["namespace"])


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let every usual way to end a command end kubectl, too."""
    before = [signal.signal(one, signal.default_int_handler) for one in _END_SIGNALS]
    try:
        yield
    finally:
        for one, handler in zip(_END_SIGNALS, before, strict=True):
            signal.signal(one, handler)


def _not_forwarded(session: Session, wanted: Sequence[Service]) -> list[Warn]:
    from ops.cli.live import not_forwarded

    away = not_forwarded(session)
    return [
        Warn(
            code="not-forwarded",
            message=f"{one.display_name} is not forwarded now; next: ops open --forward",
            subject=one.value,
        )
        for one in wanted
        if one in away
    ]
