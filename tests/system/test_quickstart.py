"""The quickstart on the real servers: told whole, broken off, told twice, refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from ops.annotator_port import Annotators
from ops.core.records import Counts, Json, TaskKey
from ops.core.rounds import Manifest
from ops.core.selection import Selection
from ops.errors import RefusedError, UnavailableError
from ops.local import Connection
from ops.quickstart.answers import ANN, BEN, Answer, NearestMean, make_answers
from ops.quickstart.pictures import LABEL_CONFIG, PHOTOGRAPHS, Sample, load_sample, picture_keys
from ops.quickstart.plan import Chapter
from ops.quickstart.reading import read_version
from ops.quickstart.story import Told, tell_story
from ops.runner.abort import abort_round
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.runner.verify import verify_dataset
from ops.studio import LabelStudio, StudioAnnotators
from tests.command import Ops
from tests.context import real_context
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers

COUNT = 40


@pytest.fixture(scope="module")
def made() -> tuple[Sample, Sequence[Answer]]:
    """scikit-learn's digits, and what Ann and Ben must say of them."""
    sample = load_sample()
    ben = NearestMean(sample.hidden)
    answers = make_answers(
        picture_keys(COUNT),
        truth=lambda key: sample.shown[key].label,
        guess=lambda key: ben.label(sample.shown[key]),
    )
    return sample, answers


@pytest.fixture
def context(servers: Connection) -> Context:
    """A repository of the test's own."""
    return real_context(servers, f"quickstart-{uuid4().hex[:12]}")


@pytest.fixture
def people(servers: Connection) -> StudioAnnotators:
    """Ann's and Ben's hands."""
    return StudioAnnotators(LabelStudio(servers.label_studio_url, servers.label_studio_token))


def _tell(context: Context, people: Annotators, *, dry_run: bool = False) -> Told:
    namespace = f"local://{context.lake.repository}"
    return tell_story(context, people, namespace=namespace, count=COUNT, dry_run=dry_run)


def _wrong(answers: Sequence[Answer], sample: Sample) -> Mapping[TaskKey, tuple[str, str]]:
    """Ben's wrong answers: what he said, and what it is."""
    said = {one.key: one.label for one in answers if one.annotator == BEN and one.label}
    truth = {key: sample.shown[key].label for key in said}
    return {key: (label, truth[key]) for key, label in said.items() if label != truth[key]}


def _answered(context: Context, manifest: Manifest | None) -> tuple[int, int]:
    """Answers and skips in a round's project."""
    assert manifest is not None
    assert manifest.project is not None
    totals = context.studio.totals(manifest.project)
    return totals.annotation_count, totals.skipped_count


def test_the_story_is_told_and_holds(
    context: Context, people: StudioAnnotators, made: tuple[Sample, Sequence[Answer]]
) -> None:
    """Two versions: all that was said in v1, every dispute settled in v2; told again, nothing."""
    sample, answers = made
    planned = _tell(context, people, dry_run=True)
    assert [step.chapter for step in planned.steps] == list(Chapter)
    assert not context.lake.repository_exists()

    told = _tell(context, people)
    assert [step.chapter for step in told.steps] == list(Chapter)
    assert told.first is not None
    assert told.first.counts == Counts(labeled=COUNT - 3, empty=3, skipped=2, unfinished=3)
    assert told.first.annotators == (ANN, BEN)
    skips = sum(answer.skipped for answer in answers)
    assert _answered(context, told.first) == (len(answers) - skips, skips)

    wrong = _wrong(answers, sample)
    assert len(wrong) > 1
    assert told.second is not None
    assert told.second.counts == Counts(labeled=len(wrong))
    assert told.diff is not None
    assert told.diff.changed == tuple(sorted(wrong))
    assert not told.diff.added
    assert not told.diff.removed
    assert told.diff.transitions == Counter(wrong.values())

    first, second = told.reads
    said = {(a.key, a.annotator): a.label for a in answers if a.label}
    assert {(row.key, row.annotator): row.label for row in first.rows} == said
    assert first.disputed() == tuple(sorted(wrong))
    assert {(row.key, row.annotator): row.label for row in second.rows} == {
        (key, who): sample.shown[key].label for key, who in said
    }
    assert second.disputed() == ()
    assert second.differing_count(first) == len(wrong)

    main = context.lake.find_commit("main")
    again = _tell(context, people)
    assert (again.steps, again.first, again.second) == ((), told.first, told.second)
    assert (again.diff, again.reads) == (told.diff, told.reads)
    assert context.lake.find_commit("main") == main
    assert _answered(context, told.first) == (len(answers) - skips, skips)
    assert verify_dataset(context, every_version=True, deep=True).findings == []


@dataclass(kw_only=True)
class Tired:
    """Hands that give up at the act after so many: before it is done, or just after."""

    hands: StudioAnnotators
    answers_left: int
    corrections_left: int
    after: bool

    def ensure_member(self, email: str, *, first_name: str = "", last_name: str = "") -> int:
        """As the hands do."""
        return self.hands.ensure_member(email, first_name=first_name, last_name=last_name)

    def annotate(
        self,
        task: int,
        result: Sequence[Mapping[str, Json]],
        *,
        annotator: int,
        lead_time_s: float | None = None,
        skipped: bool = False,
        unique_id: str | None = None,
    ) -> int:
        """As the hands do, until they give up."""
        self.answers_left -= 1
        self._tire(self.answers_left, after=False)
        done = self.hands.annotate(
            task,
            result,
            annotator=annotator,
            lead_time_s=lead_time_s,
            skipped=skipped,
            unique_id=unique_id,
        )
        self._tire(self.answers_left, after=True)
        return done

    def update_annotation(
        self,
        annotation: int,
        result: Sequence[Mapping[str, Json]],
        *,
        lead_time_s: float | None = None,
        skipped: bool = False,
    ) -> None:
        """As the hands do, until they give up."""
        self.corrections_left -= 1
        self._tire(self.corrections_left, after=False)
        self.hands.update_annotation(annotation, result, lead_time_s=lead_time_s, skipped=skipped)
        self._tire(self.corrections_left, after=True)

    def delete_annotation(self, annotation: int) -> bool:
        """As the hands do."""
        return self.hands.delete_annotation(annotation)

    def _tire(self, left: int, *, after: bool) -> None:
        if left < 0 and after is self.after:
            raise UnavailableError("tired", "gave up", unchanged="all of it", hint="go on")


@pytest.mark.parametrize("after", [False, True], ids=["before-an-act", "after-an-act"])
def test_a_story_broken_off_goes_on(
    context: Context,
    people: StudioAnnotators,
    made: tuple[Sample, Sequence[Answer]],
    *,
    after: bool,
) -> None:
    """Broken off among the first answers, then among the corrections: nothing is there twice."""
    sample, answers = made
    wrong = _wrong(answers, sample)
    skips = sum(answer.skipped for answer in answers)
    for answers_left, corrections_left in ((7, 0), (len(answers), 1)):
        tired = Tired(
            hands=people,
            answers_left=answers_left,
            corrections_left=corrections_left,
            after=after,
        )
        with pytest.raises(UnavailableError, match="gave up"):
            _tell(context, tired)
    told = _tell(context, people)
    assert told.steps[-1].chapter is Chapter.LABEL_SECOND
    assert _answered(context, told.first) == (len(answers) - skips, skips)
    assert told.diff is not None
    assert told.diff.transitions == Counter(wrong.values())


def test_a_round_of_other_pictures_is_not_touched(
    context: Context, people: StudioAnnotators, tmp_path: Path
) -> None:
    """Nobody's own pictures are answered by Ann and Ben, though the ontology is the same."""
    init_repository(
        context, label_config=LABEL_CONFIG, namespace=f"local://{context.lake.repository}"
    )
    draw_pictures(tmp_path, 2)
    add_media(context, [tmp_path])
    manifest = start_round(context, "first", Selection()).manifest
    with pytest.raises(RefusedError) as refused:
        _tell(context, people)
    assert refused.value.code == "not-the-quickstart"
    assert f"-r {context.lake.repository}-2" in refused.value.hint
    assert _answered(context, manifest) == (0, 0)

    abort_round(context, "first")
    with pytest.raises(RefusedError, match="was aborted"):
        _tell(context, people)


def test_a_version_that_cannot_be_read_is_told(servers: Connection, context: Context) -> None:
    """In our words, with the address."""
    access = context.media
    assert access is not None
    with pytest.raises(UnavailableError) as refused:
        read_version(context.lake, access, "v1")
    assert refused.value.code == "s3-read"
    assert ("endpoint", servers.lakefs_url) in refused.value.where


def test_the_command_tells_it_to_people_and_programs(
    servers: Connection, tmp_path: Path, made: tuple[Sample, Sequence[Answer]]
) -> None:
    """Asked first on servers that are not its own; then versions, diff, reads, places."""
    sample, answers = made
    ops = Ops(tmp_path, servers)
    refused = ops.run("quickstart", "--count", str(COUNT), expect=2)
    assert refused.document["errors"][0]["code"] == "needs-yes"
    planned = ops.run("quickstart", "--count", str(COUNT), "--dry-run")
    assert (planned.document["status"], len(planned.data["steps"])) == ("planned", len(Chapter))

    told = ops.run("quickstart", "--count", str(COUNT), "--yes")
    assert told.stderr == ""
    wrong = _wrong(answers, sample)
    assert [version["version"] for version in told.data["versions"]] == [2, 1]
    moves = {(one["from"], one["to"]): one["regions"] for one in told.data["diff"]["transitions"]}
    assert moves == Counter(wrong.values())
    assert [read["labels_differing"] for read in told.data["reads"]] == [0, len(wrong)]
    assert told.data["servers"]["label_studio"] == servers.label_studio_url
    assert told.data["servers"]["label_studio_email"] is None
    assert not told.data["already_done"]
    assert ops.run("quickstart", "--yes", "--dry-run").data["already_done"]

    again = ops.say("quickstart", "--yes")
    assert again.exit_code == 0
    assert f"the dataset {ops.repository} is there already" in again.stdout
    secrets = (servers.lakefs_secret_access_key, servers.label_studio_password)
    assert not any(secret in again.stdout + again.stderr for secret in secrets)
    for tag in ("v1", "v2"):
        assert ops.run("dataset", "show", tag).data["images"] == COUNT + len(PHOTOGRAPHS)


def test_own_pictures_are_put_before_people_and_nothing_is_made_up(
    servers: Connection, tmp_path: Path
) -> None:
    """A round is open, with no answer in it; twice is once; finished, it is left alone."""
    ops, studio = (
        Ops(tmp_path, servers),
        LabelStudio(servers.label_studio_url, servers.label_studio_token),
    )
    draw_pictures(tmp_path / "pictures", 3)
    (tmp_path / "pictures" / "notes.txt").write_text("not a picture")
    own = ("quickstart", "--images", "pictures", "--yes")
    assert ops.run(*own, expect=2).document["errors"][0]["code"] == "no-ontology"
    assert ops.run("quickstart", "--images", "nowhere", expect=3).document["data"] == {}
    stray = ops.run("quickstart", "--labels", "cat", expect=2)
    assert stray.document["errors"][0]["code"] == "labels-without-images"

    opened = ops.run(*own, "--labels", "cat,dog", "--kind", "boxes").data
    assert (opened["tasks"], len(opened["added"])) == (3, 3)
    assert [file["name"] for file in opened["ignored"]] == ["notes.txt"]
    project = ops.run("round", "show", "first").data["project"]
    assert opened["url"].endswith(f"/projects/{project}/data")
    totals = studio.totals(project)
    assert (totals.task_count, totals.annotation_count, totals.skipped_count) == (3, 0, 0)

    assert ops.run(*own).data["already_done"]
    draw_pictures(tmp_path / "pictures", 1, start=9)
    assert ops.run(*own, "--dry-run").data["steps"] == ["add 1 picture"]
    late = ops.say(*own)
    assert "1 picture came after it was started" in late.stdout
    assert "ops round finish first" in late.stdout

    ops.run("round", "finish", "first", "--allow-unlabeled", "--yes")
    done = ops.say(*own)
    assert (done.exit_code, "is finished already: v1" in done.stdout) == (0, True)
    (tmp_path / "none").mkdir()
    empty = ops.run("quickstart", "--images", "none", "--labels", "a", "-r", f"{ops.repository}-x",
                    "--yes", expect=3)  # fmt: skip
    assert empty.document["errors"][0]["code"] == "no-pictures"
