"""The pictures an import speaks of: those main has, and those that come with it.

Owns which picture each name means (by the rules of ops/core/importing/matching.py), and how large
it is as people see it. Adds nothing to main: that is data.py's, when import_labels.py says so.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.core.importing.matching import Match, Pictures
from ops.core.importing.neutral import Answer, Reading, Reference, Remark
from ops.core.names import MEDIA_PREFIX, media_key, media_path
from ops.core.records import CommitId, TaskKey
from ops.errors import InvalidDataError
from ops.label_files import pictures_in
from ops.media import Image, MediaFile, orientation_of, read_image, read_picture
from ops.media import Picture as Facts
from ops.ports import StoredObject
from ops.runner.context import Context, sample_of

_UPRIGHT = 1
_SIDEWAYS = 5
"""From here on, EXIF's orientations swap width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A picture as people see it: turned upright.

    Attributes:
        width, height: pixels; stored: the same before it is turned.
        orientation: EXIF's.
    """

    width: int
    height: int
    stored: tuple[int, int]
    orientation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What the names in label files mean.

    Attributes:
        answers: by task key, in the order of the files.
        unanswered: pictures the files name and say nothing of.
        unmatched: names of pictures that are neither on main nor given, with what is said of each.
        new: the files of pictures that main lacks, by key.
        given: keys of all pictures that came with the import and are spoken of.
        unspoken: how many pictures came with the import that no label file speaks of.
    """

    answers: Mapping[TaskKey, Sequence[Answer]]
    unanswered: tuple[TaskKey, ...]
    unmatched: Mapping[str, str]
    new: Mapping[TaskKey, MediaFile]
    given: frozenset[TaskKey]
    unspoken: int


class Shelf:
    """Pictures of main, and those in a folder that comes with the import."""

    def __init__(
        self, context: Context, head: CommitId, *, folder: Path | None, prefix: str
    ) -> None:
        """List both. One request a 1 000 images of main."""
        self._context = context
        self._head = head
        listing = context.lake.list_objects(head, MEDIA_PREFIX, metadata=True)
        self.there: Mapping[TaskKey, StoredObject] = {media_key(f.path): f for f in listing}
        files = list(pictures_in(folder, prefix)) if folder else []
        self._files = {file.key: file for file in files}
        self._prefix = prefix
        # Label files know nothing of the prefix a picture gets on main.
        self._given = Pictures(TaskKey(file.key.removeprefix(prefix)) for file in files)
        self._main = Pictures(self.there)
        self._by_digest: dict[str, list[TaskKey]] = {}
        for key, found in self.there.items():
            if digest := found.metadata.get("sha256"):
                self._by_digest.setdefault(digest, []).append(key)

    def place(self, reading: Reading) -> Meant:
        """Which picture each name of a reading means.

        Raises:
            InvalidDataError: a name may mean several pictures, an answer names two, or two names
                mean one.
        """
        placing = _Placing(shelf=self)
        answers: dict[TaskKey, list[Answer]] = {}
        for answer in reading.answers:
            if (key := placing.key_of(answer.picture, answer.other, answer.place)) is not None:
                answers.setdefault(key, []).append(answer)
        unanswered = [placing.key_of(one, None, one.name) for one in reading.unanswered]
        placing.check()
        spoken = {*answers, *(key for key in unanswered if key is not None)}
        return Meant(
            answers=answers,
            unanswered=tuple(sorted({k for k in unanswered if k is not None} - answers.keys())),
            unmatched=placing.unmatched,
            new={k: f for k, f in placing.files.items() if k in spoken and k not in self.there},
            given=frozenset(placing.files.keys() & spoken),
            unspoken=len(self._files) - len(placing.files),
        )

    def find(self, reference: Reference) -> tuple[Match, MediaFile | None]:
        """The picture a name means, and its file where it came with the import."""
        match = self._given.find(reference)
        if match.key is None:
            return (match if match.rivals else self._main.find(reference)), None
        file = self._files[TaskKey(self._prefix + match.key)]
        if file.key not in self.there and (elsewhere := self._same_bytes(file)):
            return Match(key=elsewhere), None
        return Match(key=file.key), file

    def _same_bytes(self, file: MediaFile) -> TaskKey | None:
        """The one picture of main with a file's bytes, under whatever name."""
        if not self._by_digest:
            return None
        keys = self._by_digest.get(hashlib.sha256(file.path.read_bytes()).hexdigest(), [])
        return keys[0] if len(keys) == 1 else None

    def frames(self, meant: Meant, keys: Sequence[TaskKey]) -> Iterator[tuple[TaskKey, Frame]]:
        """Each picture as people see it, in the order of `keys`; its bytes are read once.

        Raises:
            InvalidDataError: one cannot be read as a picture.
        """
        files = {key: meant.new[key] for key in keys if key in meant.new}
        paths = [media_path(key) for key in keys if key not in files]
        read = self._context.lake.read_many(self._head, paths)
        bad: list[str] = []
        with self._context.reporter.phase("looking at pictures", len(keys)) as phase:
            for key in keys:
                frame = _of_file(files[key]) if key in files else self._frame(key, next(read)[1])
                if isinstance(frame, Frame):
                    yield key, frame
                else:
                    bad.append(f"{key} {frame}")
                phase.advance()
        if bad:
            raise InvalidDataError(
                "picture-unreadable",
                f"{len(bad)} pictures cannot be read",
                subject=bad[0],
                where=(("pictures", sample_of(bad)),),
                unchanged="nothing was written",
                hint="replace or rename them, then run the same command again",
            )

    def _frame(self, key: TaskKey, data: bytes) -> Frame | str:
        """A picture of main as people see it, or why it is none."""
        facts = self.there[key].metadata
        stated = facts.get("width", ""), facts.get("height", "")
        if all(side.isascii() and side.isdigit() for side in stated):
            return _turned((int(stated[0]), int(stated[1])), data)
        found = read_picture(key, data)
        return (
            _turned((found.width, found.height), data) if isinstance(found, Facts) else found.reason
        )


def _of_file(file: MediaFile) -> Frame | str:
    """A picture on disk as people see it, or why it is none."""
    image = read_image(file)
    if not isinstance(image, Image):
        return image.reason
    return _turned((image.width, image.height), image.data)


def _turned(stored: tuple[int, int], data: bytes) -> Frame:
    orientation = orientation_of(data)
    width, height = stored if orientation < _SIDEWAYS else (stored[1], stored[0])
    return Frame(width=width, height=height, stored=stored, orientation=orientation)


@dataclass(kw_only=True)
class _Placing:
    """Names being placed; what cannot be is collected, so that all of it is told at once."""

    shelf: Shelf
    unmatched: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[TaskKey, MediaFile] = field(default_factory=dict[TaskKey, MediaFile])
    _names: dict[TaskKey, str] = field(default_factory=dict[TaskKey, str])
    _known: dict[Reference, TaskKey | None] = field(default_factory=dict[Reference, TaskKey | None])
    _problems: list[str] = field(default_factory=list[str])

    def key_of(self, reference: Reference, other: Reference | None, place: str) -> TaskKey | None:
        """The picture a name means, or None where there is none."""
        key = self._one(reference)
        again = self._one(other, quietly=True) if other else None
        if key is None and again is not None and other is not None:
            self.unmatched.pop(reference.name, None)
            return again
        if key is not None and again is not None and key != again:
            self._problems.append(f"{place}: says {key}, and is named like {again}")
        return key

    def _one(self, reference: Reference, *, quietly: bool = False) -> TaskKey | None:
        if reference not in self._known:
            self._known[reference] = self._placed(reference, quietly=quietly)
        return self._known[reference]

    def _placed(self, reference: Reference, *, quietly: bool) -> TaskKey | None:
        match, file = self.shelf.find(reference)
        if match.key is None:
            if not quietly:
                self._miss(reference, match)
            return None
        if not quietly:
            first = self._names.setdefault(match.key, reference.name)
            if first != reference.name:
                self._problems.append(f"{first} and {reference.name} both mean {match.key}")
        if file is not None:
            self.files[match.key] = file
        return match.key

    def _miss(self, reference: Reference, match: Match) -> None:
        if match.rivals:
            self._problems.append(f"{reference.name} may mean {' or '.join(match.rivals[:3])}")
            return
        said = f"there is {match.by_case[0]}: case differs" if match.by_case else "no such picture"
        self.unmatched[reference.name] = said

    def check(self) -> None:
        """Refuse names that mean too much.

        Raises:
            InvalidDataError: there are some.
        """
        if self._problems:
            raise InvalidDataError(
                "pictures-unclear",
                f"{len(self._problems)} pictures are not named clearly",
                subject=self._problems[0],
                where=(("pictures", sample_of(self._problems)),),
                unchanged="nothing was written",
                hint="correct the label file or the names, then run the same command again",
            )


def check_sizes(
    answers: Iterable[tuple[TaskKey, Answer, Frame]], *, trust_file: bool
) -> Iterator[tuple[Answer, tuple[int, int], Remark | None]]:
    """Each answer with the size its numbers are taken of, and a remark where its picture is turned.

    Args:
        answers: with their pictures.
        trust_file: where a label file states another size than the picture has, take the file's.

    Raises:
        InvalidDataError: sizes differ and the file's are not to be trusted.
    """
    differing: list[str] = []
    for key, answer, frame in answers:
        shown = frame.width, frame.height
        stated = answer.size or shown
        if stated != shown and not trust_file:
            turned = ", before it is turned upright" if stated == frame.stored else ""
            differing.append(f"{key}: {_by(shown)}, its label file says {_by(stated)}{turned}")
            continue
        remark = None
        if frame.orientation != _UPRIGHT:
            what = "turned by EXIF: taken to speak of the picture as it is shown, upright"
            remark = Remark(what=what, place=f"{key}: orientation {frame.orientation}")
        yield answer, stated, remark
    if differing:
        raise InvalidDataError(
            "size-differs",
            f"{len(differing)} pictures are of another size than their label files say",
            subject=differing[0].partition(":")[0],
            where=(("pictures", sample_of(differing)),),
            unchanged="nothing was written",
            hint="see whether the labels are of these pictures; if the pictures were only resized, "
            "take the numbers as parts of the size the file states: --trust-file-size",
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} by {size[1]}"
