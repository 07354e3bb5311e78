"""The dataset in Python: `from ops import Dataset`.

Owns what a training job sees. Everything is read at one commit, found once when the dataset is
opened: a branch that moves meanwhile moves nothing here. Each optional library is imported by the
method that needs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat, cast

from ops.access import Access, Door
from ops.core.names import media_key
from ops.core.records import CommitId, Json, TaskKey
from ops.errors import InvalidDataError, UsageError

if TYPE_CHECKING:
    from ops.core.diff import LabelDiff
    from ops.core.exporting.words import Policy
    from ops.core.runs import Run
    from ops.data_frame import DataFrame
    from ops.examples import Answered, ClassIds, Example, Examples
    from ops.runner.context import Context
    from ops.runner.pull import Pulled
    from ops.torch_data import TorchDataset


class ArrowTable(Protocol):
    """What is promised of the pyarrow tables given here; each is a whole `pyarrow.Table`."""

    @property
    def num_rows(self) -> int:
        """How many rows."""
        ...

    @property
    def column_names(self) -> list[str]:
        """The columns."""
        ...

    def to_pylist(self) -> list[dict[str, Any]]:
        """A dict a row."""
        ...

    def to_pandas(self) -> "DataFrame":
        """A DataFrame."""
        ...


class Dataset:
    """One commit of a dataset: what a training job reads.

    >>> from ops import Dataset
    >>> dataset = Dataset("cheese", ref="v2")
    >>> dataset.version
    2
    >>> dataset.table().num_rows
    6
    """

    def __init__(
        self,
        repository: str | None = None,
        *,
        ref: str = "main",
        url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        directory: str | Path | None = None,
    ) -> None:
        """Find the commit. One request.

        What is not given comes from where the command line takes it: the environment (`OPS_…`),
        `ops.toml` in the directory, the stack in use, the running local servers.

        Args:
            repository: its name.
            ref: a version as `v7`, a branch, a tag, a commit id, or an expression as `main~1`.
            url: lakeFS's address.
            access_key_id: of lakeFS.
            secret_access_key: of lakeFS; never printed.
            directory: where `ops.toml` and `.ops/` are looked for; the present one by default.

        Raises:
            ConfigurationError: an address or a credential is not set, or wrong.
            NotFoundError: there is no such repository or ref.
        """
        from ops.runner.dataset import resolve

        self._access = _access(
            Path(directory) if directory is not None else Path.cwd(),
            {
                "repository": repository,
                "lakefs.url": url,
                "lakefs.access_key_id": access_key_id,
                "lakefs.secret_access_key": secret_access_key,
            },
        )
        self._door = Door(self._access.context)
        self.ref = ref
        self.commit: CommitId = resolve(self._context, ref)

    def __repr__(self) -> str:
        return f"Dataset({self.repository!r}, ref={self.ref!r}, commit={self.commit[:12]!r})"

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._access.repository

    @cached_property
    def version(self) -> int | None:
        """The number of the version that the commit is, or None. One request."""
        from ops.core.audit import is_version, version_number

        facts = self._context.lake.commit_facts(self.commit)
        return version_number(facts) if is_version(facts) else None

    def table(self) -> ArrowTable:
        """The tasks as an Arrow table, by key: a row for every picture, labeled or not.

        Its columns are those of `tasks` in a query, joined tables' too.

        >>> sorted(set(dataset.table().to_pylist()[0]) & {"key", "state", "width"})
        ['key', 'state', 'width']
        """
        return self.query("SELECT * FROM tasks ORDER BY key")

    def annotations(self) -> ArrowTable:
        """The regions as an Arrow table, as the version holds them: a row a region. One request.

        >>> "label" in dataset.annotations().column_names
        True
        """
        from ops.arrow import read_arrow
        from ops.core.names import ANNOTATIONS_PARQUET

        data = self._context.lake.read(self.commit, ANNOTATIONS_PARQUET)
        if data is None:
            # Before the first version there is none; the query knows its columns.
            return self.query("SELECT * FROM annotations")
        return cast("ArrowTable", read_arrow(data, ANNOTATIONS_PARQUET))

    def query(self, sql: str) -> ArrowTable:
        """What one SELECT gives, over `tasks`, `annotations`, `labels` and joined tables.

        >>> dataset.query("SELECT count(*) AS n FROM tasks WHERE state = 'labeled'").to_pylist()
        [{'n': 2}]

        Raises:
            UsageError: it is no SELECT over the tables there are.
        """
        from ops.runner.tables import open_tables

        with open_tables(self._context, self.commit) as tables:
            return cast("ArrowTable", tables.query(sql).to_arrow())

    def to_pandas(self) -> "DataFrame":
        """The tasks as a DataFrame; takes the extra `pandas`.

        >>> dataset.to_pandas().state.value_counts()["labeled"].item()
        2

        Raises:
            ConfigurationError: pandas is not installed.
        """
        from ops.data_frame import to_data_frame

        return to_data_frame(self.table)

    def images(
        self, *, where: str | None = None, split: str | None = None, workers: int = 32
    ) -> Iterator[tuple[TaskKey, bytes]]:
        """Pictures with their keys, in the order of the keys, many at once; flat memory.

        Each is held against its digest, and kept in the cache: a second reading asks lakeFS for
        none.

        >>> [key for key, data in dataset.images(where="state = 'labeled'")]
        ['p000.png', 'p001.png']

        Args:
            where: an SQL expression over the tasks, or None for all.
            split: a split's name, or `NAME:PART`.
            workers: requests under way at once.

        Raises:
            InvalidDataError: a picture is not what was stored.
            NotFoundError: nothing is asked for, or a picture is gone.
            UnavailableError: lakeFS does not answer.
        """
        from ops.core.pulls import Choice
        from ops.examples import read_pictures
        from ops.runner.fetch import expected_of
        from ops.runner.pull import choose

        choice = Choice.of(labeled_only=False, where=where, split=split)
        wanted = [expected_of(found) for found in choose(self._context, self.commit, choice)]
        return read_pictures(self._context, self.commit, wanted, workers=workers)

    def examples(
        self, *, policy: str | None = None, where: str | None = None, split: str | None = None
    ) -> "Examples":
        """Answered tasks by number, each with its picture: labeled ones, and empty ones.

        Skipped, unfinished and quarantined tasks are not among them: they say nothing.

        >>> [example.key for example in dataset.examples()]
        ['p000.png', 'p001.png', 'p002.png']

        Args:
            policy: whose answer counts where a task has several: `latest`, `majority`,
                `ground-truth`, or `all` for one example an answer; None refuses such tasks.
            where: an SQL expression over the tasks, or None for all.
            split: a split's name, or `NAME:PART`.

        Raises:
            RefusedError: tasks have several answers, and no policy says which counts.
            UsageError: there is no such policy, or the expression is wrong.
        """
        from ops.examples import Examples

        return Examples(
            self._access, self.commit, self._answered(policy, where, split), self._classes()
        )

    def torch(
        self,
        transform: "Callable[[Example], Any] | None" = None,
        *,
        policy: str | None = None,
        where: str | None = None,
        split: str | None = None,
    ) -> "TorchDataset[Any]":
        """The examples for `torch.utils.data.DataLoader`, with any number of workers.

        Without a transform an item is the picture, `uint8` of `(3, height, width)`, and its target:
        `boxes` in pixels, `labels` and `choices` by class id. Class ids count from 0; where 0 means
        the background, as to torchvision's detectors, add 1.

        >>> len(dataset.torch(lambda example: example.data))
        3

        Args:
            transform: makes an item of an example, in the worker.
            policy: as `examples` has it.
            where: as `examples` has it.
            split: as `examples` has it.

        Raises:
            RefusedError: tasks have several answers, and no policy says which counts.
        """
        from ops.torch_data import TorchDataset, to_tensors

        examples = self.examples(policy=policy, where=where, split=split)
        return TorchDataset(examples, transform or to_tensors)

    def hf(
        self,
        *,
        policy: str | None = None,
        where: str | None = None,
        split: str | None = None,
        directory: str | Path | None = None,
    ) -> Any:  # noqa: ANN401 - datasets ships partial types
        """The answered tasks as a Hugging Face `DatasetDict`; takes the extra `hf`.

        What `ops dataset export --format hf --media copy` writes, pictures included: each part of
        the split under its name, or all of it as `train`.

        >>> dataset.hf()["train"].num_rows
        3

        Args:
            policy: as `examples` has it.
            where: as `examples` has it.
            split: as `examples` has it.
            directory: where its files are kept, to be read from there; in memory where it is None.

        Raises:
            ConfigurationError: datasets is not installed.
            RefusedError: tasks have several answers, and no policy says which counts; or the
                directory holds something else than such an export.
        """
        from tempfile import TemporaryDirectory

        from ops.core.exporting.words import Format, MediaMode
        from ops.core.pulls import Choice
        from ops.hugging_face import load
        from ops.runner.export import Order, export_dataset

        order = Order(
            format=Format.HF,
            media=MediaMode.COPY,
            policy=_policy(policy),
            choice=Choice.of(labeled_only=False, where=where, split=split),
        )
        with TemporaryDirectory() as scratch:
            out = Path(directory) if directory is not None else Path(scratch) / "export"
            export_dataset(self._context, self.commit, out=out, order=order)
            return load(out, in_memory=directory is None)

    def split(self, name: str) -> Mapping[str, Sequence[TaskKey]]:
        """The tasks of each part of a split that is stored in the version. Two requests.

        >>> sorted(dataset.split("default"))
        ['test', 'train']

        Raises:
            NotFoundError: there is no such split.
        """
        from ops.runner.splits import read_split

        parts: dict[str, list[TaskKey]] = {}
        for key, part in sorted(read_split(self._context, self.commit, name).items()):
            parts.setdefault(part, []).append(key)
        return parts

    def diff(self, other: str) -> "LabelDiff":
        """What people say differently here from what another ref holds.

        >>> dataset.diff("v1").added
        ('p002.png',)

        Raises:
            NotFoundError: there is no such ref.
        """
        from ops.runner.diff import ref_diff

        return ref_diff(self._context, other, self.commit).labels

    def pull(
        self,
        out: str | Path,
        *,
        labeled_only: bool = False,
        where: str | None = None,
        split: str | None = None,
    ) -> "Pulled":
        """Bring the pictures and label files into a directory, as `ops dataset pull` does.

        >>> dataset.pull("data").media_count
        6

        Raises:
            PartialError: some files could not be had; each is named.
            OpsError: as ops.runner.pull has it.
        """
        from ops.core.pulls import Choice
        from ops.runner.pull import Order, pull

        choice = Choice.of(labeled_only=labeled_only, where=where, split=split)
        out = Path(out).expanduser().absolute()
        return pull(self._context, self.commit, out=out, order=Order(choice=choice))

    def record_run(
        self,
        *,
        model: str,
        metrics: Mapping[str, SupportsFloat] | None = None,
        params: Mapping[str, Json] | None = None,
        url: str | None = None,
        model_file: str | Path | None = None,
        run_id: str | None = None,
    ) -> "Run":
        """Record on main that a model was trained on this commit. Repeatable.

        >>> dataset.record_run(model="cheese detector", metrics={"f1": 0.93}).version
        2

        Args:
            model: what it is called.
            metrics: how well it did: finite numbers, NumPy's and torch's too.
            params: what it was trained with.
            url: where more of the run is to be seen.
            model_file: its digest is kept, so that the file leads back to its data.
            run_id: the run's name, instead of one that follows from what is said.

        Raises:
            InvalidDataError: what is said cannot be kept.
            ConflictError: another run has this id.
        """
        from ops.core.runs import Training
        from ops.runner.runs import model_digest, record_run

        training = Training(
            model=model,
            metrics={name: _number(name, value) for name, value in (metrics or {}).items()},
            params=dict(params or {}),
            url=url,
            model_digest=model_digest(Path(model_file)) if model_file is not None else None,
        )
        return record_run(self._context, self.commit, training, run_id=run_id).run

    @property
    def _context(self) -> "Context":
        return self._door.context

    def _answered(
        self, policy: str | None, where: str | None, split: str | None
    ) -> "Sequence[Answered]":
        from ops.core.pulls import Choice
        from ops.examples import find_answered
        from ops.runner.pull import choose

        choice = Choice.of(labeled_only=False, where=where, split=split)
        keys = None
        if not choice.is_all:
            chosen = choose(self._context, self.commit, choice)
            keys = frozenset(media_key(found.path) for found in chosen)
        return find_answered(self._context, self.commit, policy=_policy(policy), keys=keys)

    def _classes(self) -> "ClassIds":
        from ops.examples import ClassIds
        from ops.runner.classes import read_classes
        from ops.runner.context import read_ontology
        from ops.runner.export_tasks import said_in_snapshot

        context, commit = self._context, self.commit
        _, ontology = read_ontology(context.lake, commit)
        classes = read_classes(context, commit)
        every = classes.extended(ontology, said_in_snapshot(context, commit))
        return ClassIds(ontology=ontology, ids=every.ids())


def _policy(name: str | None) -> "Policy | None":
    """The policy of a name.

    Raises:
        UsageError: there is none.
    """
    from ops.core.exporting.words import Policy

    if name is None or name in set(Policy):
        return Policy(name) if name is not None else None
    raise UsageError(
        "no-such-policy",
        f"there is no policy {name!r}",
        subject=name,
        unchanged="nothing was read",
        hint=f"one of {', '.join(Policy)}",
    )


def _number(name: str, value: SupportsFloat) -> float:
    """A metric as a float, whatever library's number it is.

    Raises:
        InvalidDataError: it is none.
    """
    try:
        if not isinstance(value, str | bytes | bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise InvalidDataError(
        "run-invalid",
        f"metric {name!r} is {value!r}, which is no finite number",
        subject=f"metric {name!r}",
        unchanged="nothing was recorded",
        hint="correct it, then record the run again",
    )


def _access(directory: Path, given: Mapping[str, str | None]) -> Access:
    """What the settings say, after what was given.

    Raises:
        ConfigurationError: something is not set, or wrong.
    """
    from ops.cli.session import Session

    flags = {name: value for name, value in given.items() if value is not None}
    session = Session(quiet=True, flags=flags, directory=directory)
    need = session.settings.need
    return Access(
        url=need("lakefs.url"),
        access_key_id=need("lakefs.access_key_id"),
        secret_access_key=need("lakefs.secret_access_key"),
        repository=need("repository"),
        actor=need("actor"),
        cache_dir=session.cache_dir,
    )
