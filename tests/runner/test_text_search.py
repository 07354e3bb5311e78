"""Tasks are ranked by a text: by vectors made here, or by those of a file."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.core.names import MAIN
from ops.core.records import TaskKey
from ops.core.selection import Ranking, RankKind, Selection
from ops.errors import InvalidDataError, UsageError
from ops.profiling import upright
from ops.runner.start import start_round
from ops.runner.text_search import rank_by_text
from tests.looks import picture, put
from tests.runner.world import World
from tests.toy_clip import DIMENSIONS, write_toy_clip

COLORS = {
    "red.png": (250, 20, 20),
    "pink.png": (250, 130, 130),
    "blue.png": (20, 20, 250),
    "grün.png": (20, 250, 20),
}
KEYS = [TaskKey(key) for key in COLORS]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Four colours, and a picture nobody can decode."""
    world = World(image_count=0)
    put(world, {key: picture(Image.new("RGB", (40, 30), color)) for key, color in COLORS.items()})
    put(world, {"cut.png": picture(Image.new("RGB", (40, 30)))[:50]})
    world.context = replace(
        world.context, clip_path=write_toy_clip(tmp_path / "clip"), cache_dir=tmp_path / "cache"
    )
    return world


def order(ranks: Mapping[TaskKey, float]) -> list[str]:
    return [key for key, _ in sorted(ranks.items(), key=lambda pair: -pair[1])]


def test_pictures_are_ranked_by_what_they_show(world: World) -> None:
    """The one that cannot be decoded is left out; those not asked for are not looked at."""
    ranks = rank_by_text(world.context, MAIN, "a red thing", keys=[*KEYS, TaskKey("cut.png")])
    assert order(ranks)[:2] == ["red.png", "pink.png"]
    assert ranks.keys() == COLORS.keys()
    assert rank_by_text(world.context, MAIN, "blue", keys=KEYS[:2]).keys() == set(KEYS[:2])
    assert rank_by_text(world.context, MAIN, "blue", keys=[]) == {}


def test_a_picture_is_read_once_for_its_bytes(world: World) -> None:
    """The second ranking reads none; a replaced picture is read again; damage is not believed."""
    read: list[str] = []
    first = rank_by_text(world.context, MAIN, "red", keys=KEYS)
    world.watch(before=read.append, after=lambda _: None)
    assert rank_by_text(world.context, MAIN, "red", keys=KEYS) == first
    assert "read_many" not in read
    put(world, {"red.png": picture(Image.new("RGB", (40, 30), COLORS["blue.png"]))})
    again = rank_by_text(world.context, MAIN, "red", keys=KEYS)
    assert again[TaskKey("red.png")] == again[TaskKey("blue.png")] < first[TaskKey("red.png")]
    assert world.context.cache_dir is not None
    for path in world.context.cache_dir.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert rank_by_text(world.context, MAIN, "red", keys=KEYS) == again


def test_a_picture_is_seen_as_its_exif_turns_it(world: World) -> None:
    """Whichever way the camera was held; what needs no turning is not written anew."""
    image = Image.new("RGB", (60, 40), COLORS["blue.png"])
    image.paste(COLORS["red.png"], (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, turned = BytesIO(), BytesIO()
    image.save(plain, "JPEG")
    image.save(turned, "JPEG", exif=exif)
    assert upright(plain.getvalue()) == plain.getvalue()
    assert upright(b"nothing") == b"nothing"
    with Image.open(BytesIO(upright(turned.getvalue()))) as seen:
        assert seen.size == (40, 60)
    put(world, {"plain.jpg": plain.getvalue(), "turned.jpg": turned.getvalue()})
    keys = [TaskKey("plain.jpg"), TaskKey("turned.jpg")]
    assert order(rank_by_text(world.context, MAIN, "red above", keys=keys)) == [*reversed(keys)]


def test_without_a_cache_the_ranks_are_the_same(world: World) -> None:
    nowhere = replace(world.context, cache_dir=None)
    kept = rank_by_text(world.context, MAIN, "red", keys=KEYS)
    assert rank_by_text(nowhere, MAIN, "red", keys=KEYS) == kept


def save(path: Path, vectors: Mapping[str, list[float]]) -> Path:
    np.savez(path, key=np.array([*vectors]), vector=np.array([*vectors.values()]))
    return path


def test_a_file_of_embeddings_is_taken_and_no_picture_read(world: World, tmp_path: Path) -> None:
    """It decides: here it says that blue is red. Keys nobody asked for do no harm."""
    rest = [0.0] * (DIMENSIONS - 3)
    said = {"blue.png": [1.0, -1, -1, *rest], "red.png": [-1.0, -1, 1, *rest]}
    path = save(tmp_path / "e.npz", {**said, "elsewhere.png": [1.0, 1, 1, *rest]})
    read: list[str] = []
    world.watch(before=read.append, after=lambda _: None)
    ranks = rank_by_text(world.context, MAIN, "red", embeddings=path, keys=KEYS)
    assert order(ranks) == ["blue.png", "red.png"]
    assert read == []


def test_vectors_of_another_model_are_refused_with_both_lengths(
    world: World, tmp_path: Path
) -> None:
    path = save(tmp_path / "e.npz", {"red.png": [1.0, 0.5, 0.25]})
    with pytest.raises(InvalidDataError) as caught:
        rank_by_text(world.context, MAIN, "red", embeddings=path, keys=KEYS)
    assert caught.value.code == "embedding-dimensions"
    assert f"{DIMENSIONS} dimensions" in caught.value.message
    assert caught.value.message.endswith("have 3")


def test_a_file_about_other_pictures_is_refused_with_both_shapes(
    world: World, tmp_path: Path
) -> None:
    path = save(tmp_path / "e.npz", {"images/red.png": [1.0] * DIMENSIONS})
    with pytest.raises(InvalidDataError) as caught:
        rank_by_text(world.context, MAIN, "red", embeddings=path, keys=KEYS)
    assert caught.value.code == "embedding-keys"
    assert dict(caught.value.where)["keys there"] == "images/red.png"
    assert "red.png" in dict(caught.value.where)["tasks"]


def test_pictures_of_which_none_can_be_decoded_are_refused(world: World) -> None:
    with pytest.raises(InvalidDataError) as caught:
        rank_by_text(world.context, MAIN, "red", keys=[TaskKey("cut.png")])
    assert caught.value.code == "no-embeddings"


def test_no_text_is_refused(world: World) -> None:
    with pytest.raises(UsageError):
        rank_by_text(world.context, MAIN, " \n", keys=KEYS)


def test_a_round_takes_what_looks_most_like_a_text(world: World) -> None:
    """And its manifest has the text, and the ranks of what it took."""
    chosen = Selection(ranking=Ranking(kind=RankKind.TEXT, by="something red"), limit=2)
    started = start_round(world.context, "red", chosen)
    assert sorted(started.keys) == ["pink.png", "red.png"]
    assert started.manifest is not None
    kept = started.manifest.selection.ranking
    assert kept is not None
    assert (kept.by, dict(kept.ranks or ()).keys()) == ("something red", {"pink.png", "red.png"})
