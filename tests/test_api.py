"""`from ops import Dataset` on the real servers: its examples run, and what it refuses."""

import ast
import doctest
import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from ops import Dataset
from ops import api as module
from ops.core.canonical import decode_record, encode_record
from ops.core.label_config import LabelKind, write_label_config
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.core.splits import parse_ratios
from ops.errors import (
    ConfigurationError,
    ConflictError,
    InvalidDataError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from ops.local import Connection
from ops.no_studio import no_studio
from ops.ports import Upload
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.finish import finish_round
from ops.runner.init import init_repository
from ops.runner.runs import list_runs
from ops.runner.splits import Asked, make_split
from ops.runner.start import start_round
from ops.studio import LabelStudio, StudioAnnotators
from ops.torch_data import TorchDataset
from tests.context import real_context
from tests.kills.driver import LAKEFS, proxied
from tests.pictures import draw_pictures
from tests.runner.world import region
from tests.tree import ROOT

pytestmark = pytest.mark.servers

DEBIAN = Path("/usr/bin/python3")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository with two versions of six pictures: two labeled, then one more, empty."""

    servers: Connection
    context: Context
    pictures: Path

    def dataset(self, ref: str = "v2", **more: Any) -> Dataset:  # noqa: ANN401 - as Dataset takes them
        """The dataset, by settings that are given."""
        return Dataset(
            self.context.lake.repository,
            ref=ref,
            **{
                "url": self.servers.lakefs_url,
                "access_key_id": self.servers.lakefs_access_key_id,
                "secret_access_key": self.servers.lakefs_secret_access_key,
                **more,
            },
        )


def label(place: Place, name: str, labels: dict[str, list[str]]) -> None:
    """Play a round: who says nothing of a picture says that it is empty."""
    servers, context = place.servers, place.context
    keys = tuple(TaskKey(key) for key in labels)
    started = start_round(context, name, Selection(keys=keys))
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    ann = people.ensure_member("ann@example.org")
    assert started.manifest is not None
    project = started.manifest.project
    assert project is not None
    for row in studio.task_rows(project):
        said = labels[row.key or ""]
        people.annotate(row.id, [region(one, n) for n, one in enumerate(said)], annotator=ann)
    studio.close()
    finish_round(context, name)


@pytest.fixture(scope="module")
def place(servers: Connection, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Played once."""
    name = f"api-{uuid4().hex[:12]}"
    pictures = tmp_path_factory.mktemp("pictures")
    place = Place(servers=servers, context=real_context(servers, name), pictures=pictures)
    config = write_label_config(("brie", "gouda"), LabelKind.BOXES)
    init_repository(place.context, label_config=config, namespace=f"local://{name}")
    draw_pictures(pictures, 6)
    add_media(place.context, [pictures])
    label(place, "first", {"p000.png": ["brie"], "p001.png": ["gouda", "brie"]})
    ratios = parse_ratios("train=0.5,test=0.5")
    make_split(place.context, "default", Asked(ratios=ratios, seed=1))
    label(place, "second", {"p002.png": []})
    return place


@pytest.fixture
def settings(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, and the place's servers in the environment."""
    for name in list(os.environ):
        if name.startswith(("OPS_", "LAKECTL_", "LABEL_STUDIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPS_LAKEFS_URL", place.servers.lakefs_url)
    monkeypatch.setenv("OPS_LAKEFS_ACCESS_KEY_ID", place.servers.lakefs_access_key_id)
    monkeypatch.setenv("OPS_LAKEFS_SECRET_ACCESS_KEY", place.servers.lakefs_secret_access_key)
    monkeypatch.setenv("OPS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OPS_ACTOR", "lena@example.org")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples() -> list[doctest.DocTest]:
    """The examples of the module's docstrings."""
    found = doctest.DocTestFinder(recurse=True).find(module.Dataset, "Dataset", module)
    return [one for one in found if one.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_every_example_of_the_docstrings_runs(
    example: doctest.DocTest, place: Place, settings: Path
) -> None:
    """Against a repository of two versions, of which `dataset` is the second."""
    del settings
    name = place.context.lake.repository
    for one in example.examples:
        one.source = one.source.replace('"cheese"', repr(name))
    example.globs = {"dataset": Dataset(name, ref="v2")}
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)


def blocks() -> list[str]:
    """The Python in the how-to page."""
    text = (ROOT / "docs" / "how-to" / "train.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks())))
def test_every_example_of_the_how_to_runs(place: Place, settings: Path, number: int) -> None:
    """As it stands there, on this repository; what takes torch by the Python that has it."""
    code = blocks()[number].replace('"cheese"', repr(place.context.lake.repository))
    needs_torch = "import DataLoader" in code
    if needs_torch:
        need_torch()
        code = f"import sys\nsys.path += {packages()!r}\n{code}"
    del settings
    done = run_python(DEBIAN if needs_torch else Path(sys.executable), f"exec({code!r})")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_public_method_has_an_example() -> None:
    """Or is explained by the class's."""
    public = {name for name in vars(Dataset) if not name.startswith("_")}
    named = {one.name.rpartition(".")[2] for one in examples()}
    assert public - named == {"repository", "version", "commit"} & public


def test_the_commit_stays_whatever_main_does(place: Place, settings: Path) -> None:
    """It was found when the dataset was opened."""
    del settings
    dataset = place.dataset("main")
    before = dataset.commit
    dataset.record_run(model="moves main")
    assert place.context.lake.find_commit("main") != before
    assert dataset.commit == before


def test_no_secret_is_printed(place: Place, settings: Path) -> None:
    """Not by the dataset, nor by what it gives."""
    del settings
    dataset = place.dataset()
    shown = f"{dataset!r} {dataset.__dict__} {dataset.examples().__dict__}"
    assert place.servers.lakefs_secret_access_key not in shown


def test_label_studio_need_not_be_there(place: Place, settings: Path) -> None:
    """A training job has no business with it; whatever asks it says what is missing."""
    del settings
    assert place.dataset().table().num_rows == 6
    with pytest.raises(ConfigurationError) as caught:
        no_studio().server_version()
    assert caught.value.code == "setting-missing"


def test_pictures_are_read_once(place: Place, settings: Path) -> None:
    """The second time they come from the cache, in another process or dataset, too."""
    del settings
    expected = {path.name: path.read_bytes() for path in place.pictures.iterdir()}
    with proxied(place.servers) as proxy:
        dataset = place.dataset(url=proxy.urls[LAKEFS])
        assert dict(dataset.images()) == expected
        assert [seen for seen in proxy.seen if seen.path.endswith(".png")]
        proxy.plan()
        assert dict(place.dataset(url=proxy.urls[LAKEFS]).images()) == expected
        assert not [seen for seen in proxy.seen if seen.path.endswith(".png")]


def test_examples_are_what_was_said(place: Place, settings: Path) -> None:
    """With the pixels that the percent mean."""
    del settings
    one, two, three = place.dataset().examples()
    assert [example.key for example in (one, two, three)] == ["p000.png", "p001.png", "p002.png"]
    assert one.data == (place.pictures / "p000.png").read_bytes()
    size = (160, 120)
    assert [label for _, label in one.boxes(size)] == [0]
    assert [label for _, label in two.boxes(size)] == [1, 0]
    [(box, _)] = one.boxes(size)
    assert box == pytest.approx((16, 24.6, 64, 54.9))
    assert three.boxes(size) == []
    assert three.answered.is_empty
    assert one.answered.annotators == ("ann@example.org",)


def test_examples_go_to_other_processes(place: Place, settings: Path) -> None:
    """Pickled; what comes out opens connections of its own."""
    del settings
    items = place.dataset().torch(length)
    assert items[0] == (place.pictures / "p000.png").stat().st_size
    again: TorchDataset[int] = pickle.loads(pickle.dumps(items))  # noqa: S301 - our own
    assert [again[number] for number in range(len(again))] == [items[n] for n in range(3)]
    with pytest.raises(IndexError):
        items[3]


def length(example: Any) -> int:  # noqa: ANN401 - a transform
    """A transform that can be pickled."""
    return len(example.data)


def test_a_forked_worker_reads_for_itself(place: Place, settings: Path) -> None:
    """Though the process it was forked from has read through the same library."""
    del settings
    items = place.dataset().torch(length)
    first = items[0]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            place.context.lake.find_commit("main")
            os.write(writing, str([items[number] for number in range(3)]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        sizes = ast.literal_eval(said.read())
    os.waitpid(child, 0)
    assert sizes[0] == first
    assert len(sizes) == 3


def test_two_peoples_answers_need_a_policy(place: Place, settings: Path) -> None:
    """As an export does: refused by default, by the same name."""
    del settings
    context = place.context
    branch = "two-answers"
    context.lake.create_branch(branch, "v2")
    path = "annotations/p000.png.json"
    document = json.loads(context.lake.read(branch, path) or b"")
    other = {**document["annotations"][0], "unique_id": str(uuid4()), "annotator": "ben@x.org"}
    other["created_at"] = other["updated_at"] = "2030-01-01T00:00:00.000000Z"
    other["result"] = []
    other["origins"] = {}
    document["annotations"].append(other)
    record = decode_record(json.dumps(document).encode(), key=TaskKey("p000.png"))
    context.lake.write_many(branch, [Upload(path=path, data=encode_record(record))])
    context.lake.commit(branch, "a second answer", {})
    dataset = place.dataset(branch)
    with pytest.raises(RefusedError) as caught:
        dataset.torch()
    assert (caught.value.code, caught.value.subject) == ("several-answers", "p000.png")
    latest = dataset.examples(policy="latest")
    assert latest[0].answered.is_empty
    every = dataset.examples(policy="all")
    assert [one.key for one in every].count(TaskKey("p000.png")) == 2
    with pytest.raises(UsageError) as refused:
        dataset.examples(policy="newest")
    assert refused.value.code == "no-such-policy"


def test_an_export_may_lie_beside_a_pull(place: Place, settings: Path) -> None:
    """In the format a trainer takes, with the pictures that were just pulled."""
    environment = {**os.environ, "OPS_REPOSITORY": place.context.lake.repository}
    pull = ["dataset", "pull", "v2", "--out", "data", "--format", "coco", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ops", *pull],
        cwd=settings,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    beside = settings / "data" / "export-coco"
    [document] = [json.loads(path.read_bytes()) for path in beside.glob("annotations/*.json")]
    assert len(document["annotations"]) == 3
    assert {path.name for path in beside.glob("images/*")} == {f"p00{n}.png" for n in range(3)}
    assert json.loads(done.stdout)["data"]["extra"] == []


def test_runs_lead_back_to_the_commit(place: Place, settings: Path) -> None:
    """Numbers of other libraries are taken as numbers; what is none is refused."""
    dataset = place.dataset("v1")
    model = settings / "model.bin"
    model.write_bytes(b"weights")
    run = dataset.record_run(
        model="cheese", metrics={"f1": np.float32(0.5), "n": 3}, model_file=model
    )
    assert (run.version, run.commit) == (1, dataset.commit)
    assert run.training.metrics == {"f1": 0.5, "n": 3.0}
    assert run in list_runs(place.context, "v1")
    again = dataset.record_run(model="cheese", metrics={"f1": 0.5, "n": 3}, model_file=str(model))
    assert again == run
    named = dataset.record_run(model="cheese", run_id=f"nightly-{uuid4().hex[:8]}")
    with pytest.raises(ConflictError):
        dataset.record_run(model="other", run_id=named.id)
    for wrong in (float("nan"), "0.5", True, None, object()):
        with pytest.raises(InvalidDataError) as caught:
            dataset.record_run(model="cheese", metrics={"f1": wrong})  # pyright: ignore[reportArgumentType]
        assert caught.value.code == "run-invalid"


def test_what_is_not_there_is_said(place: Place, settings: Path) -> None:
    """When the dataset is opened, or asked."""
    del settings
    with pytest.raises(NotFoundError) as caught:
        place.dataset("v9")
    assert caught.value.code == "no-such-ref"
    with pytest.raises(NotFoundError) as caught:
        place.dataset().split("none")
    assert caught.value.code == "no-such-split"
    with pytest.raises(UsageError):
        place.dataset().query("DROP TABLE tasks")


def test_without_settings_it_says_what_is_missing(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every command does."""
    del settings
    monkeypatch.delenv("OPS_LAKEFS_URL")
    with pytest.raises(ConfigurationError) as caught:
        Dataset("cheese")
    assert caught.value.code == "setting-missing"


MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Missing())
from ops import Dataset
from ops.errors import ConfigurationError
dataset = Dataset({repository!r}, ref="v2")
try:
    {call}
except ConfigurationError as error:
    print(error.code, error.subject, error.hint)
"""


CALLS = {
    "pandas": ("dataset.to_pandas()", "extra-missing pandas pip install"),
    "datasets": ("dataset.hf()", "extra-missing hf pip install"),
    "torch": ("dataset.torch()[0]", "extra-missing torch install it"),
}


@pytest.mark.parametrize("library", CALLS)
def test_a_missing_library_is_named(place: Place, settings: Path, library: str) -> None:
    """With the command that installs it."""
    del settings
    call, says = CALLS[library]
    code = MISSING.format(library=library, repository=place.context.lake.repository, call=call)
    done = run_python(Path(sys.executable), code)
    assert done.stdout.startswith(says), done.stderr


def test_importing_ops_costs_nothing() -> None:
    """Nothing but the package itself is imported."""
    code = "import sys, ops; print([name for name in sys.modules if name.startswith('ops.')])"
    assert run_python(Path(sys.executable), code).stdout.strip() == "[]"
    assert run_python(Path(sys.executable), "import ops; ops.Datasett").returncode == 1


def run_python(program: Path, code: str, *paths: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines in a process of their own."""
    return subprocess.run(
        [str(program), "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *paths])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


TORCH = """
import sys
sys.path += {packages!r}
import torch
from torch.utils.data import DataLoader
from ops import Dataset

dataset = Dataset({repository!r}, ref="v2")
list(dataset.images())
items = dataset.torch()

for method, workers in (("fork", 2), ("spawn", 1)):
    loader = DataLoader(
        items, batch_size=2, num_workers=workers, collate_fn=list, multiprocessing_context=method
    )
    if __name__ == "__main__":
        pairs = [pair for batch in loader for pair in batch]
        for picture, target in pairs:
            print(method, tuple(picture.shape), picture.dtype, target["boxes"].tolist(),
                  target["labels"].tolist(), target["choices"])
        first = pairs[0][0]
        print(method, "corner", first[:, 0, 0].tolist())
"""


FIND = "import sys, importlib.util; sys.exit(importlib.util.find_spec('torch') is None)"


@cache
def has_torch() -> bool:
    """Whether Debian's own Python has PyTorch, which this project's lock leaves out: 3 GB."""
    done = subprocess.run(
        [str(DEBIAN), "-c", FIND], capture_output=True, check=False
    ) if DEBIAN.exists() else None  # fmt: skip
    return done is not None and done.returncode == 0


def need_torch() -> None:
    """Skip loudly where there is none; CI has it."""
    if not has_torch():
        if os.environ.get("CI"):
            pytest.fail("python3-torch is not installed")
        pytest.skip("NO TORCH: apt-get install --no-install-recommends python3-torch")


def packages() -> list[str]:
    """Where this environment's packages are: another Python of this version takes them, too."""
    return [path for path in sys.path if path.endswith("site-packages")]


def test_torchs_own_loader_takes_it(place: Place, settings: Path) -> None:
    """With workers forked and spawned: pictures, boxes and class ids as they were said."""
    del settings
    need_torch()
    code = TORCH.format(packages=packages(), repository=place.context.lake.repository)
    done = run_python(DEBIAN, code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for method in ("fork", "spawn"):
        said = [line.removeprefix(f"{method} ") for line in lines if line.startswith(method)]
        assert len(said) == 4, done.stdout
        assert said[0].startswith("(3, 120, 160) torch.uint8 [[16.0, 24.6")
        assert said[0].endswith("[0] {}")
        assert "[1, 0]" in said[1]
        assert said[2] == "(3, 120, 160) torch.uint8 [] [] {}"
        assert said[3] == "corner [0, 0, 90]"
