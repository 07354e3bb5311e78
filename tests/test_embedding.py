"""Texts and pictures in one space, by the real libraries and a toy model; files of embeddings."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ops.core.records import TaskKey
from ops.embedding import Clip
from ops.embedding_file import read_embeddings
from ops.errors import ConfigurationError, InvalidDataError, NotFoundError
from tests.looks import picture
from tests.toy_clip import DIMENSIONS, WORDS, write_toy_clip

_ARROW, _PARQUET = import_module("pyarrow"), import_module("pyarrow.parquet")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return Clip(write_toy_clip(tmp_path_factory.mktemp("clip")))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("word", WORDS)
def test_a_text_is_nearest_to_the_picture_it_is_about(clip: Clip, word: str) -> None:
    """Both halves, tokenizer and preprocessing are the libraries' own."""
    grays = {color: tuple(int(127.5 + 127.5 * c) for c in rgb) for color, rgb in WORDS.items()}
    pictures = {
        color: clip.embed_image(picture(Image.new("RGB", (60, 40), (*gray,))))
        for color, gray in grays.items()
    }
    text = clip.embed_text(f"{word.upper()} as nobody has seen it")
    assert len(text) == DIMENSIONS
    assert max(pictures, key=lambda color: cosine(text, pictures[color])) == word


def test_photographs_are_ranked_by_what_they_show(clip: Clip) -> None:
    """A retina is the reddest of these, rockets stand in the dark."""
    data = import_module("skimage.data")
    photos = {name: getattr(data, name)() for name in ("retina", "rocket", "chelsea", "coffee")}
    vectors = {
        name: clip.embed_image(picture(Image.fromarray(pixels))) for name, pixels in photos.items()
    }

    def first(text: str) -> str:
        wanted = clip.embed_text(text)
        return max(vectors, key=lambda name: cosine(wanted, vectors[name]))

    assert (first("something red"), first("black")) == ("retina", "rocket")


@pytest.mark.parametrize("data", [b"", b"no picture", picture(Image.new("L", (50, 50)))[:60]])
def test_a_picture_that_cannot_be_decoded_is_told(clip: Clip, data: bytes) -> None:
    with pytest.raises(InvalidDataError) as caught:
        clip.embed_image(data)
    assert caught.value.code == "picture-unreadable"


def test_the_same_model_has_the_same_digest(clip: Clip, tmp_path: Path) -> None:
    """And another one another."""
    assert Clip(write_toy_clip(tmp_path / "same")).image_digest == clip.image_digest
    other = Clip(write_toy_clip(tmp_path / "other", dimensions=5))
    assert other.image_digest != clip.image_digest


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_a_directory_that_lacks_a_file_is_named(tmp_path: Path, name: str) -> None:
    where = write_toy_clip(tmp_path) / "text"
    (where / name).unlink()
    with pytest.raises(ConfigurationError) as caught:
        Clip(tmp_path).embed_text("red")
    assert (caught.value.code, caught.value.message) == ("clip-files", f"{where} lacks {name}")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, name: str) -> None:
    (write_toy_clip(tmp_path) / "text" / name).write_bytes(b"nonsense")
    with pytest.raises(ConfigurationError) as caught:
        Clip(tmp_path).embed_text("red")
    assert caught.value.code == "clip-model"
    assert str(tmp_path) in caught.value.message


def test_the_wrong_half_is_no_text_model(tmp_path: Path) -> None:
    model = (write_toy_clip(tmp_path) / "vision" / "model.onnx").read_bytes()
    (tmp_path / "text" / "model.onnx").write_bytes(model)
    with pytest.raises(ConfigurationError):
        Clip(tmp_path).embed_text("red")


def test_a_model_that_cannot_be_downloaded_is_told_at_once(tmp_path: Path) -> None:
    """With what helps, and not a word of the library's own."""
    script = (
        "import pathlib, sys\n"
        "from ops.embedding import Clip\n"
        "from ops.errors import UnavailableError\n"
        "try: Clip(None, pathlib.Path(sys.argv[1])).embed_text('red')\n"
        "except UnavailableError as error: print(error.code, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout.startswith("clip-download ")
    assert "OPS_CLIP_PATH" in done.stdout
    assert done.stderr == ""


def test_without_the_extra_the_command_that_installs_it_is_named() -> None:
    script = (
        "import sys; sys.modules['fastembed'] = None\n"
        "from ops.embedding import Clip\n"
        "from ops.errors import ConfigurationError\n"
        "try: Clip(None)\n"
        "except ConfigurationError as error: print(error.code, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "text-extra pip install 'labeling-ops[text]'\n"


# Files of embeddings.

ROWS: Mapping[str, tuple[float, ...]] = {
    "a.png": (1, 0, 0),
    "ä/b%20.png": (0, 1, 0),
    "c.png": (0.5, 0.5, -1e-3),
}
Write = Callable[[Path, Sequence[str], Sequence[Sequence[float]]], Path]


def as_parquet(path: Path, keys: Sequence[str], rows: Sequence[Sequence[float]]) -> Path:
    table = _ARROW.table({"vector": [list(row) for row in rows], "key": list(keys)})
    _PARQUET.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_fixed_parquet(path: Path, keys: Sequence[str], rows: Sequence[Sequence[float]]) -> Path:
    """As pandas and polars write arrays: lists of one size, 32 bits a number."""
    kind = _ARROW.list_(_ARROW.float32(), len(rows[0]))
    vectors = _ARROW.array([list(row) for row in rows], type=kind)
    table = _ARROW.table({"key": list(keys), "vector": vectors})
    _PARQUET.write_table(table, path.with_suffix(".parquet"), row_group_size=2)
    return path.with_suffix(".parquet")


def as_npz(path: Path, keys: Sequence[str], rows: Sequence[Sequence[float]]) -> Path:
    np.savez(path.with_suffix(".npz"), key=np.array(keys), vector=np.array(rows))
    return path.with_suffix(".npz")


def as_csv(path: Path, keys: Sequence[str], rows: Sequence[Sequence[float]]) -> Path:
    lines = [f'{key},"{[*row]}"' for key, row in zip(keys, rows, strict=True)]
    path.with_suffix(".csv").write_text("\n".join(["key,vector", *lines]) + "\n", "utf-8")
    return path.with_suffix(".csv")


def as_wide_csv(path: Path, keys: Sequence[str], rows: Sequence[Sequence[float]]) -> Path:
    lines = [",".join([*map(str, row), key]) for key, row in zip(keys, rows, strict=True)]
    head = ",".join([*(f"d{number}" for number in range(len(rows[0]))), "key"])
    path.with_suffix(".csv").write_text("\ufeff" + "\n".join([head, *lines]) + "\n", "utf-8")
    return path.with_suffix(".csv")


FORMS = [as_parquet, as_fixed_parquet, as_npz, as_csv, as_wide_csv]
every_form = pytest.mark.parametrize("write", FORMS)


@every_form
def test_each_form_says_the_same(write: Write, tmp_path: Path) -> None:
    found = read_embeddings(write(tmp_path / "e", [*ROWS], [*ROWS.values()]))
    assert (found.keys, found.dimensions) == ([*ROWS], 3)
    cosines = found.cosines([2.0, 0.0, 0.0])
    assert cosines == {
        key: pytest.approx(cosine(row, (2, 0, 0)), abs=1e-6) for key, row in ROWS.items()
    }
    assert cosines[TaskKey("a.png")] == 1.0


@every_form
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(write: Write, number: float, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read_embeddings(write(tmp_path / "e", ["a.png", "b.png"], [(1, 0), (number, 1)]))
    assert caught.value.code == "embedding-file"


@every_form
def test_a_vector_of_zeros_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read_embeddings(write(tmp_path / "e", ["a.png", "b.png"], [(1, 0), (0, 0)]))
    assert "'b.png'" in caught.value.message


@every_form
def test_a_key_that_is_there_twice_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read_embeddings(write(tmp_path / "e", ["a.png", "a.png"], [(1, 0), (0, 1)]))
    assert "twice" in caught.value.message


@pytest.mark.parametrize("write", [as_parquet, as_csv])
def test_vectors_of_several_lengths_are_refused(write: Write, tmp_path: Path) -> None:
    """Also where the numbers would fill as many rows of another length."""
    with pytest.raises(InvalidDataError):
        read_embeddings(write(tmp_path / "e", ["a", "b", "c"], [(1, 0), (1, 2, 3), (1,)]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.csv", ""),
        ("e.csv", "name,vector\na.png,[1]\n"),
        ("e.csv", "key,vector\n"),
        ("e.csv", "key,vector\na.png,1 2 3\n"),
        ("e.csv", "key,vector\na.png\n"),
        ("e.csv", "key,vector\na.png,[]\n"),
        ("e.csv", "key,x,y\na.png,one,two\n"),
        ("e.csv", 'key,vector\na.png,"[null, 1]"\nb.png,"[1, 2]"\n'),
        ("e.csv", 'key,vector\na.png,"[true, 1]"\n'),
        ("e.csv", 'key,vector\na.png,"{}"\n'),
        ("e.csv", "key,vector\na.png,5\n"),
        ("e.npz", "no archive"),
        ("e.parquet", "no table"),
        ("e.json", "{}"),
        ("e", ""),
    ],
)
def test_a_file_that_holds_no_embeddings_is_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidDataError) as caught:
        read_embeddings(tmp_path / name)
    assert (caught.value.code, caught.value.subject) == ("embedding-file", str(tmp_path / name))


def test_bytes_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_bytes(b"key,vector\n\xff.png,[1]\n")
    with pytest.raises(InvalidDataError):
        read_embeddings(tmp_path / "e.csv")


@pytest.mark.parametrize(
    "arrays",
    [
        {"key": np.array(["a"])},
        {"key": np.array([1]), "vector": np.ones((1, 2))},
        {"key": np.array(["a"]), "vector": np.ones(2)},
        {"key": np.array(["a", "b"]), "vector": np.ones((1, 2))},
        {"key": np.array(["a"]), "vector": np.array([["1"]])},
        {"key": np.array(["a"]), "vector": np.ones((1, 0))},
        {"key": np.array(["a"], dtype=object), "vector": np.ones((1, 2))},
    ],
)
def test_arrays_that_are_no_embeddings_are_refused(
    arrays: Mapping[str, Any], tmp_path: Path
) -> None:
    """An array of objects too, which would run what it holds."""
    np.savez(tmp_path / "e.npz", **arrays)
    with pytest.raises(InvalidDataError):
        read_embeddings(tmp_path / "e.npz")


class Runs:
    """What makes a folder when somebody unpickles it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    """It would run whatever it holds."""
    folder = tmp_path / "ran"
    keys = np.array([Runs(folder)], dtype=object)
    np.savez(tmp_path / "e.npz", key=keys, vector=np.ones((1, 2)))
    with pytest.raises(InvalidDataError):
        read_embeddings(tmp_path / "e.npz")
    assert not folder.exists()


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    for columns in (
        {"key": ["a"]},
        {"key": [1], "vector": [[1.0]]},
        {"key": ["a"], "vector": [None]},
    ):
        _PARQUET.write_table(_ARROW.table(columns), tmp_path / "e.parquet")
        with pytest.raises(InvalidDataError):
            read_embeddings(tmp_path / "e.parquet")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_embeddings(tmp_path / "nope.parquet")
    assert caught.value.code == "no-embedding-file"
