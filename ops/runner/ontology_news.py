"""What main's ontology has become since a round started: for people, and for the round's records.

Owns finding the migrations on main. What they make of a record is ops.core.relabel's; the round's
own verbs apply it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.core.changes import DatasetChange, DatasetChangeKind
from ops.core.markup import markup_text
from ops.core.migration import Migration, plan_migration
from ops.core.migration_arguments import migration_request
from ops.core.names import LABEL_CONFIG_PATH
from ops.core.ontology import Ontology, parse_ontology
from ops.core.ontology_news import LabelNews, ontology_news
from ops.core.records import CommitId, Json
from ops.core.rounds import Manifest, RoundState
from ops.ports import Commit
from ops.runner.changes import read_change
from ops.runner.context import Context, main_head, read_ontology
from ops.runner.status import list_rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class OntologyMoved:
    """How main's ontology differs from a round's.

    Attributes:
        round: the round's name.
        news: label by label; none where only something else than labels changed.
        digest: of main's ontology, or of what it would be.
    """

    round: str
    news: tuple[LabelNews, ...]
    digest: str

    @property
    def in_words(self) -> str:
        """One line for people."""
        said = "; ".join(one.in_words for one in self.news) or "what its controls ask has changed"
        return f"main's ontology has changed since round {self.round} started: {said}"

    def as_json(self) -> dict[str, Json]:
        """The same for programs."""
        return {
            "round": self.round,
            "ontology_digest": self.digest,
            "labels": [one.as_json() for one in self.news],
        }


def ontology_moved(context: Context, manifest: Manifest) -> OntologyMoved | None:
    """How main's ontology differs from a round's; None where it is the same.

    One request where main has not moved, two reads and one request a 1 000 commits where it has,
    and two a migration.

    Raises:
        NotFoundError: main, or the round's base, has no ontology any more.
    """
    main = main_head(context.lake)
    if main == manifest.base:
        return None
    migrations = migrations_since(context, manifest.base, main)
    _, now = read_ontology(context.lake, main)
    if not migrations and now.digest == manifest.ontology_digest:
        return None
    _, frozen = read_ontology(context.lake, manifest.base)
    return _compared(manifest, frozen, now, migrations)


def _compared(
    manifest: Manifest, frozen: Ontology, now: Ontology, migrations: tuple[Migration, ...]
) -> OntologyMoved | None:
    news = ontology_news(frozen, now, migrations)
    if not news and now.digest == frozen.digest:
        return None
    return OntologyMoved(round=manifest.name, news=news, digest=now.digest)


def migrations_since(context: Context, base: CommitId, main: CommitId) -> tuple[Migration, ...]:
    """The migrations main took from a commit to a later one, in their order.

    One request a 1 000 commits, and two a migration.

    Raises:
        InvalidDataError: the document of one of them is none.
    """
    found: list[Migration] = []
    for commit in _after(context, base, main):
        change = commit.metadata.get("ops.change")
        if commit.metadata.get("ops.kind") == DatasetChangeKind.ONTOLOGY.value and change:
            found += _migration(context, commit, change)
    return tuple(reversed(found))


def _after(context: Context, base: CommitId, main: CommitId) -> Sequence[Commit]:
    """The commits of main's own line since `base`, newest first; none where it is not on it."""
    found: list[Commit] = []
    for commit in context.lake.log(main, first_parent=True) if base != main else ():
        if commit.id == base:
            return found
        found.append(commit)
    # Main was replaced by another history: what it did to its labels is not this one's.
    return ()


def _migration(context: Context, commit: Commit, name: str) -> Iterator[Migration]:
    """The migration a merge made, as its document says it of the label config it found."""
    lake = context.lake
    change = read_change(lake, commit.id, name)
    text = lake.read(change.base, LABEL_CONFIG_PATH) if change else None
    if change and text:
        yield plan_migration(markup_text(text), migration_request(change.request)).migration


def rounds_left_behind(context: Context, change: DatasetChange) -> tuple[OntologyMoved, ...]:
    """What a migration that is proposed means for each open round. Cost: as open_rounds.

    Raises:
        NotFoundError, RefusedError: main's ontology is not the one it was made for any more.
    """
    text, _ = read_ontology(context.lake, change.base)
    planned = plan_migration(text, migration_request(change.request))
    return tuple(open_rounds(context, planned.label_config, [planned.migration]))


def open_rounds(
    context: Context, label_config: str, pending: Sequence[Migration] = ()
) -> Iterator[OntologyMoved]:
    """Every open round that main's ontology, or a new label config of it, leaves behind.

    One request a round, and four a round that is open.

    Args:
        context: the servers.
        label_config: main's, as it is or as it is to be.
        pending: migrations that make it so, and are not on main yet.
    """
    main, after = main_head(context.lake), parse_ontology(label_config)
    for manifest in list_rounds(context):
        if manifest.state not in {RoundState.STARTING, RoundState.OPEN}:
            continue
        known = migrations_since(context, manifest.base, main)
        _, frozen = read_ontology(context.lake, manifest.base)
        moved = _compared(manifest, frozen, after, (*known, *pending))
        if moved is not None:
            yield moved
