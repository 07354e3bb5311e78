"""What a change of main's ontology means for a round whose label config is frozen.

Owns the comparison, label by label, along the migrations main took. Reads nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.core.label_edits import Path
from ops.core.label_names import spelled
from ops.core.migration import Migration, Operation
from ops.core.ontology import Control, Ontology
from ops.core.records import Json
from ops.core.relabel import carried


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNews:
    """One label of a round's label config, or of main's, that the other has not under its name.

    Attributes:
        control: the control's name.
        old: what the round's annotators are offered; None for a label they are not offered.
        new: what their answers become when they are merged; None where that is to be decided.
        is_split: it is decided region by region; otherwise it is gone.
    """

    control: str
    old: str | None
    new: str | None
    is_split: bool = False

    @property
    def in_words(self) -> str:
        """The news for people, as part of a list."""
        if self.old is None:
            return f"{self.new!r} is new, and not offered in this round"
        if self.new is not None:
            return f"{self.old!r} will be {self.new!r} when the round is merged"
        if self.is_split:
            return f"{self.old!r} was split: regions that say it anew have to be decided"
        return f"{self.old!r} is gone: answers that say it cannot be merged"

    def as_json(self) -> dict[str, Json]:
        """The news for programs."""
        return {
            "control": self.control,
            "old": self.old,
            "new": self.new,
            "split": self.is_split,
        }


def ontology_news(
    frozen: Ontology, main: Ontology, migrations: Sequence[Migration]
) -> tuple[LabelNews, ...]:
    """Every label that differs, by control, in the order of the label configs.

    Args:
        frozen: the round's.
        main: as it is now.
        migrations: those that main took since the round's, in their order.
    """
    names = dict.fromkeys(one.name for one in (*frozen.controls, *main.controls))
    return tuple(
        news
        for name in names
        for news in _of_control(frozen.control(name), main.control(name), name, migrations)
    )


def _of_control(
    frozen: Control | None, main: Control | None, name: str, migrations: Sequence[Migration]
) -> Iterator[LabelNews]:
    own = [one for one in migrations if one.control == name]
    offered = [label.path for label in main.labels] if main else []
    reached: set[Path] = set()
    for label in frozen.labels if frozen else ():
        now, is_split = _along(label.path, own)
        reached |= {now} if now else set()
        if now is None or now not in offered:
            yield LabelNews(control=name, old=spelled(label.path), new=None, is_split=is_split)
        elif now != label.path:
            yield LabelNews(control=name, old=spelled(label.path), new=spelled(now))
    for path in offered:
        if path not in reached:
            yield LabelNews(control=name, old=None, new=spelled(path))


def _along(path: Path, migrations: Sequence[Migration]) -> tuple[Path | None, bool]:
    """What a label has become, and whether a split leaves that to be decided."""
    now: Path | None = path
    for migration in migrations:
        now = carried(path, migration)
        if now is None:
            return None, migration.operation is Operation.SPLIT
        path = now
    return now, False
