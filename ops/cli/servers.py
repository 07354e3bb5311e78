"""Which servers the quickstart takes: the local ones, started if need be, or those of the settings.

Owns that choice, and the question before sample data go to servers others may use. Does not own how
local servers are started (ops/local).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from ops.cli.output import Warn
from ops.cli.session import Session
from ops.local.home import Home, Service

URLS = ("lakefs.url", "label_studio.url")
_LOCAL = frozenset({"nowhere", "the local stack"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The servers to work with.

    Attributes:
        session: with their addresses among its settings; or not, with a dry run that would start
            them.
        steps: what was done to have them, or would be.
        is_local: they are the local stack's.
        remarks: what the person should know of them.
    """

    session: Session
    steps: tuple[str, ...] = ()
    is_local: bool = False
    remarks: tuple[Warn, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether there are addresses to send requests to."""
        return all(self.session.settings.find(name) for name in URLS)

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self.session.settings.need("repository")

    @property
    def namespace(self) -> str:
        """Where lakeFS puts the repository's objects."""
        return self.session.settings.find("storage_namespace") or f"local://{self.repository}"

    @property
    def email(self) -> str | None:
        """Whom to log in to Label Studio as; None where that is the person's own business."""
        from ops.local import connection

        found = connection(self.session.settings.home) if self.is_local else None
        return found.label_studio_email if found else None

    @property
    def option(self) -> str:
        """What follow-up commands need to find the repository, a space before it."""
        is_flag = source(self.session, "repository").startswith("--")
        return f" -r {self.repository}" if is_flag else ""

    @property
    def lakefs_has_pages(self) -> bool:
        """Whether lakeFS has its web pages, as far as is known."""
        return all(remark.subject != Service.LAKEFS.value for remark in self.remarks)


def have_servers(session: Session, *, what: str, yes: bool, dry_run: bool) -> Ready:
    """Start the local servers, unless the settings name others; ask before those are used.

    Args:
        session: whose settings name servers, or none.
        what: what will be put there, for the question.
        yes: do not ask.
        dry_run: start nothing, ask nothing.

    Raises:
        UsageError: nobody said yes.
        ConfigurationError, UnavailableError: as ops.local.stack.up.
    """
    settings = session.settings
    if not _names_local_servers(session):
        urls = [settings.need(name) for name in URLS]
        if not dry_run:
            session.confirm(f"Put {what} on {' and '.join(urls)}?", yes=yes)
        return Ready(session=session)
    from ops.local import stack

    steps = tuple(f"start {s.display_name}" for s in stack.stopped_servers(settings.home))
    if dry_run:
        return Ready(session=session, steps=steps, is_local=True)
    if steps:
        session.reporter.note("start the servers")
    binary = settings.find("lakefs.binary")
    found = stack.up(
        settings.home, session.reporter, lakefs_binary=Path(binary) if binary else None
    )
    # Not the same session: its settings were read before the servers had addresses.
    return Ready(
        session=replace(session),
        steps=steps,
        is_local=True,
        remarks=tuple(
            Warn(code=f"{s.service.value}-remark", message=s.remark, subject=s.service.value)
            for s in found.servers
            if s.remark
        ),
    )


def _names_local_servers(session: Session) -> bool:
    """Whether the settings name the local stack's servers, whoever says so, or none at all."""
    from ops.local import connection

    found = connection(session.settings.home)
    own = {found.lakefs_url, found.label_studio_url} if found else set[str]()
    return all(
        source(session, name) in _LOCAL or session.settings.find(name) in own for name in URLS
    )


def is_fresh(session: Session) -> bool:
    """Whether no server is named and none has ever been started here."""
    has_data = Home.at(session.settings.home).local.exists()
    return not has_data and all(source(session, name) == "nowhere" for name in URLS)


def source(session: Session, name: str) -> str:
    """Where a setting's value comes from."""
    return next(setting.source for setting in session.settings.all() if setting.name == name)
