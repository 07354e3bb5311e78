"""The quickstart's story: pictures in, two people label, v1, they settle what they disagree on, v2.

Owns the order of the chapters and how far a repository is in it: what is there is left alone, so
the story may be stopped anywhere and told again. Each chapter is the verbs everybody uses, with the
two people's acts between them. Starts no server and prints nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_never

from ops.annotator_port import Annotators
from ops.core.diff import LabelDiff
from ops.core.names import MAIN, MEDIA_PREFIX, media_path, round_branch, version_tag
from ops.core.records import TaskKey
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection
from ops.errors import ConfigurationError, InternalError, RefusedError
from ops.quickstart.answers import NearestMean, make_answers
from ops.quickstart.labeling import correct, submit
from ops.quickstart.pictures import (
    LABEL_CONFIG,
    PHOTOGRAPHS,
    Sample,
    is_ours,
    load_sample,
    picture_keys,
    write_pictures,
)
from ops.quickstart.plan import FIRST, SECOND, Chapter, Seen, Step, count_tasks, plan_story
from ops.quickstart.reading import VersionRead, read_version
from ops.runner.context import Context, load_round, read_manifest, read_tasks
from ops.runner.data import add_media
from ops.runner.diff import label_diff, round_diff
from ops.runner.finish import Finished, finish_round
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.runner.sync import sync_round


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The story as far as it goes.

    Attributes:
        steps: what was done, in order; with a dry run, what would be done.
        first, second: the rounds' manifests; None with a dry run that has not got there, `second`
            also where nobody disagreed.
        diff: from the first round's version to the second's.
        reads: those versions, as read over S3.
    """

    steps: tuple[Step, ...]
    first: Manifest | None
    second: Manifest | None
    diff: LabelDiff | None = None
    reads: tuple[VersionRead, ...] = ()


def tell_story(
    context: Context,
    people: Annotators,
    *,
    namespace: str,
    count: int = 200,
    dry_run: bool = False,
) -> Told:
    """Tell the story, or what is left of it.

    About 600 requests for 200 digits, most of them Ann's and Ben's answers. Repeatable.

    Args:
        context: the servers; `media` must be set.
        people: by whom Ann and Ben act.
        namespace: where lakeFS puts the repository's objects; used when it is created.
        count: how many digits, 20 to 890.
        dry_run: say what would be done, and do nothing.

    Raises:
        RefusedError: the repository holds a round of another origin, or one that was aborted.
        ConflictError: it has another ontology, or other pictures of these names.
        UnavailableError: a version cannot be read over S3.
    """
    story = _Story(context, people, count=count, namespace=namespace)
    done: list[Step] = []
    seen = story.observe()
    steps = story.plan(seen)
    while steps and not dry_run:
        story.tell(steps[0], seen)
        done.append(steps[0])
        seen = story.observe()
        steps = story.plan(seen)
        _refuse_standstill(done[-1], steps)
    told = Told(steps=tuple(done) or steps, first=seen.first, second=seen.second)
    return told if steps or dry_run else story.close(told)


def _refuse_standstill(done: Step, left: Sequence[Step]) -> None:
    """A chapter that has been told and is still to come would be told for ever.

    Raises:
        InternalError: that is so.
    """
    if left and left[0].chapter is done.chapter:
        raise InternalError(
            "quickstart-standstill",
            f"the quickstart did this and does not see it: {done.text}",
            unchanged="what was done before is there",
            hint="report it, with what ops round list and ops dataset log say",
        )


class _Story:
    """One telling."""

    def __init__(self, context: Context, people: Annotators, *, count: int, namespace: str) -> None:
        if context.media is None:
            raise ConfigurationError(
                "no-media-access",
                "there are no credentials to read versions over S3 with",
                unchanged="nothing was written",
                hint="set OPS_LAKEFS_ACCESS_KEY_ID and OPS_LAKEFS_SECRET_ACCESS_KEY",
            )
        self._context = context
        self._people = people
        self._count = count
        self._namespace = namespace
        self._access = context.media
        self._reads: dict[str, VersionRead] = {}

    @cached_property
    def _sample(self) -> Sample:
        with self._context.reporter.phase("reading scikit-learn's digits"):
            return load_sample()

    def observe(self) -> Seen:
        """How far the repository is. About ten requests."""
        if not self._context.lake.repository_exists():
            return Seen()
        is_set_up = not self._init(dry_run=True)
        there = {found.path for found in self._context.lake.list_objects(MAIN, MEDIA_PREFIX)}
        first, second = self._manifest(FIRST), self._manifest(SECOND)
        disputed = None
        if second is None and first is not None and first.state is RoundState.FINISHED:
            disputed = self._read(first).disputed()
        has_pictures = there.issuperset(media_path(key) for key in picture_keys(self._count))
        return Seen(
            is_set_up=is_set_up,
            has_pictures=has_pictures,
            first=first,
            second=second,
            disputed=disputed,
        )

    def plan(self, seen: Seen) -> tuple[Step, ...]:
        """What is left."""
        return plan_story(seen, repository=self._context.lake.repository, count=self._count)

    def tell(self, step: Step, seen: Seen) -> None:
        """Do one chapter."""
        self._tell(step.number, f"{step.text}\n      {step.command}")
        match step.chapter:
            case Chapter.SET_UP:
                self._init(dry_run=False)
            case Chapter.PICTURES:
                self._add_pictures()
            case Chapter.START_FIRST:
                self._start(FIRST, Selection())
            case Chapter.LABEL_FIRST:
                self._label_first()
            case Chapter.START_SECOND:
                self._start(SECOND, self._selection(seen))
            case Chapter.LABEL_SECOND:
                self._label_second()
            case _:
                assert_never(step.chapter)

    def close(self, told: Told) -> Told:
        """Read what came of it: the versions over S3, and the label diff between them."""
        manifests = [one for one in (told.first, told.second) if one is not None]
        self._tell(1 + len(Chapter), "read the versions as a training job does")
        with self._context.reporter.phase("reading over S3", len(manifests)) as phase:
            reads: list[VersionRead] = []
            for manifest in manifests:
                reads.append(self._read(manifest))
                phase.advance()
        tags = [read.tag for read in reads]
        diff = label_diff(self._context, *tags) if len(tags) == 2 else None  # noqa: PLR2004 - a pair
        return Told(
            steps=told.steps, first=told.first, second=told.second, diff=diff, reads=tuple(reads)
        )

    def _tell(self, number: int, text: str) -> None:
        self._context.reporter.note(f"\n[{number}/{1 + len(Chapter)}] {text}")

    def _init(self, *, dry_run: bool) -> tuple[str, ...]:
        found = init_repository(
            self._context,
            label_config=LABEL_CONFIG,
            namespace=self._namespace,
            dry_run=dry_run,
        )
        return found.steps

    def _manifest(self, name: str) -> Manifest | None:
        """A round's manifest, which must be one of this story.

        Raises:
            RefusedError: it is not, or the round was aborted.
        """
        lake, branch = self._context.lake, round_branch(name)
        ref = MAIN
        manifest = read_manifest(lake, MAIN, name)
        if manifest is None and lake.find_commit(branch):
            ref, manifest = branch, read_manifest(lake, branch, name)
        if manifest is None:
            return None
        if manifest.state is RoundState.ABORTED:
            self._refuse(name, "was aborted")
        if not all(is_ours(key) for key in read_tasks(lake, ref, manifest)):
            self._refuse(name, "is not one of the quickstart's")
        return manifest

    def _refuse(self, name: str, what: str) -> None:
        repository = self._context.lake.repository
        raise RefusedError(
            "not-the-quickstart",
            f"round {name} of repository {repository} {what}",
            subject=name,
            where=(("repository", repository),),
            unchanged="nothing was written",
            hint=f"give the quickstart a repository of its own: ops quickstart -r {repository}-2",
        )

    def _add_pictures(self) -> None:
        sample, reporter = self._sample, self._context.reporter
        with TemporaryDirectory(prefix="ops-quickstart-") as scratch:
            folder = Path(scratch)
            with reporter.phase("drawing pictures", self._count + len(PHOTOGRAPHS)) as phase:
                for _ in write_pictures(sample, self._count, folder):
                    phase.advance()
            add_media(self._context, [folder])

    def _start(self, name: str, selection: Selection) -> None:
        started = start_round(self._context, name, selection)
        project = started.manifest.project if started.manifest else None
        tasks = count_tasks(len(started.keys))
        self._context.reporter.note(
            f"round {name} is open: {tasks} in Label Studio project {project}"
        )

    def _selection(self, seen: Seen) -> Selection:
        """The disputed tasks; for a round that is half started, whatever it was started with."""
        if seen.disputed is None:
            return Selection()
        return Selection(labeled_too=True, edit=True, keys=seen.disputed)

    def _label_first(self) -> None:
        round_ = load_round(self._context, FIRST)
        sample = self._sample
        ben = NearestMean(sample.hidden)
        answers = make_answers(
            round_.tasks,
            truth=lambda key: sample.shown[key].label,
            guess=lambda key: ben.label(sample.shown[key]),
        )
        submit(self._context, self._people, round_, answers)
        self._finish(FIRST)

    def _label_second(self) -> None:
        round_ = load_round(self._context, SECOND)
        truth: Mapping[TaskKey, str] = {
            key: self._sample.shown[key].label for key in round_.tasks if key in self._sample.shown
        }
        correct(self._context, self._people, round_, truth)
        self._finish(SECOND)

    def _finish(self, name: str) -> Finished:
        context = self._context
        sync_round(context, name)
        changed = round_diff(context, name).labels
        context.reporter.note(
            f"compared with main: {len(changed.added)} tasks new, {len(changed.changed)} changed; "
            f"{changed.annotations.added} annotations new, {changed.annotations.changed} changed"
        )
        finished = finish_round(context, name, allow_unlabeled=True)
        tag = version_tag(finished.version)
        context.reporter.note(f"round {name} is finished: {tag}, {_counts(finished)}")
        return finished

    def _read(self, manifest: Manifest) -> VersionRead:
        tag = version_tag(manifest.version or 0)
        if tag not in self._reads:
            self._reads[tag] = read_version(self._context.lake, self._access, tag)
        return self._reads[tag]


def _counts(finished: Finished) -> str:
    states: Sequence[tuple[str, int]] = list(finished.counts.as_mapping().items())
    return ", ".join(f"{count} {state}" for state, count in states if count)
