"""`dataset pull` on servers in memory: what lies in the directory in the end, and when it fails."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ops.core.names import MEDIA_PREFIX, media_path
from ops.core.pulls import FILE_NAME, Choice, decode_pull
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import (
    ConfigurationError,
    ConflictError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    PartialError,
    RefusedError,
    UnavailableError,
)
from ops.files import SCRATCH, held
from ops.ports import Upload
from ops.runner.context import Context
from ops.runner.fetch import Source
from ops.runner.finish import finish_round
from ops.runner.pull import Order, Pulled, pull
from ops.runner.start import start_round
from tests.fakes.gateway import FakeGateway
from tests.runner.world import World

ALL = Order(choice=Choice())


class Desk:
    """A world with one version, a cache, a directory to pull into, and a count of what is read."""

    def __init__(self, home: Path) -> None:
        """Label two of six pictures, one of them empty, and finish the round."""
        self.world = World()
        self.home = home
        self.out = home / "out"
        self.read: list[str] = []
        self.fail: Callable[[str], None] = lambda _: None
        self.context = replace(
            self.world.context,
            open_gateway=lambda: FakeGateway(self.world.lake, self._reading),
            cache_dir=home / "cache",
        )
        start_round(self.context, "cheese", Selection(limit=3))
        self.world.label("p000.png", "brie")
        self.world.label("p001.png")
        self.world.label("p002.png", skipped=True)
        finish_round(self.context, "cheese")

    def _reading(self, path: str) -> None:
        self.read.append(path)
        self.fail(path)

    def pull(self, order: Order = ALL, *, ref: str = "main", out: Path | None = None) -> Pulled:
        """Pull, and count from zero."""
        self.read.clear()
        return pull(self.context, ref, out=out or self.out, order=order)

    def on_main(self, *uploads: Upload, removed: tuple[str, ...] = ()) -> None:
        """Change main, as a merge does."""
        lake = self.world.lake
        lake.create_branch("data", "main")
        lake.write_many("data", uploads)
        lake.delete_many("data", removed)
        lake.commit("data", "pictures", {})
        lake.merge("data", "main", "pictures", self.world.context.metadata("data-add"))
        lake.delete_branch("data")

    def images(self, out: Path | None = None) -> dict[str, bytes]:
        """The pictures in the directory."""
        root = (out or self.out) / "images"
        paths = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk of this test's own."""
    return Desk(tmp_path)


def picture(key: str, data: bytes) -> Upload:
    """A picture of these bytes, of which lakeFS knows the md5."""
    return Upload(path=media_path(TaskKey(key)), data=data)


ALL_IMAGES = {f"p{number:03}.png": f"picture p{number:03}.png".encode() for number in range(6)}


def test_a_pull_holds_the_version_and_says_so(desk: Desk) -> None:
    pulled = desk.pull()
    assert desk.images() == ALL_IMAGES
    assert pulled.media_count == 6
    for path in ("README.md", "card.json", "snapshot/tasks.parquet", "ontology/label_config.xml"):
        assert (desk.out / path).read_bytes() == desk.world.lake.read("main", path)
    said = decode_pull((desk.out / FILE_NAME).read_bytes())
    assert said.is_complete
    assert said.commit == desk.world.lake.find_commit("main")
    files = {path.relative_to(desk.out).as_posix() for path in desk.out.rglob("*.*")}
    assert {one.path for one in said.files} | {FILE_NAME} == files


def test_what_is_there_is_not_read_again(desk: Desk) -> None:
    first = desk.pull()
    assert len(desk.read) == first.file_count
    again = desk.pull()
    assert desk.read == []
    assert again.sources == {Source.THERE: first.file_count, Source.CACHE: 0, Source.SERVER: 0}


def test_what_was_read_once_comes_from_the_cache(desk: Desk) -> None:
    """Into another directory, of another version."""
    desk.pull()
    desk.on_main(picture("new.png", b"new"))
    pulled = desk.pull(out=desk.home / "other")
    assert desk.read == ["images/new.png"]
    assert pulled.read_bytes == 3
    assert desk.images(desk.home / "other") == {**ALL_IMAGES, "new.png": b"new"}


def test_without_a_cache_nothing_is_kept(desk: Desk) -> None:
    desk.context = replace(desk.context, cache_dir=None)
    count = desk.pull().file_count
    desk.pull(out=desk.home / "other")
    assert len(desk.read) == count
    assert not (desk.home / "cache").exists()


def test_a_damaged_cache_is_found_out_and_read_again(desk: Desk) -> None:
    """Whatever was done to it: cut, changed, emptied."""
    desk.pull()
    kept = sorted(path for path in (desk.home / "cache").rglob("*") if path.is_file())
    for number, path in enumerate(kept):
        path.chmod(0o644)
        data = path.read_bytes()
        path.write_bytes((data[:-1], data[:-1] + b"?", b"", data)[number % 4])
    damaged = sum(1 for number in range(len(kept)) if number % 4 != 3)
    pulled = desk.pull(out=desk.home / "other")
    assert pulled.sources[Source.SERVER] == len(desk.read) == damaged
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(out=desk.home / "third")
    assert desk.read == []


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(desk: Desk) -> None:
    (desk.home / "cache").write_text("a file where the cache should be")
    pulled = desk.pull()
    assert pulled.cache_problem is not None
    assert desk.images() == ALL_IMAGES


def test_damaged_files_are_put_right(desk: Desk) -> None:
    desk.pull()
    (desk.out / "images/p001.png").write_bytes(b"picture p00!.png")
    (desk.out / "images/p002.png").unlink()
    pulled = desk.pull()
    assert desk.images() == ALL_IMAGES
    assert pulled.replaced == ["images/p001.png"]
    assert desk.read == []


def test_links_share_the_bytes_and_cannot_be_written(desk: Desk) -> None:
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    assert path.stat().st_nlink == 2
    assert path.stat().st_mode & 0o222 == 0
    desk.pull(replace(ALL, link=True), out=desk.home / "other")
    assert desk.read == []
    assert (desk.home / "other/images/p000.png").samefile(path)


def test_a_link_written_to_nevertheless_spoils_no_other_pull(desk: Desk) -> None:
    """Its owner can always take the protection away; root need not even."""
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    path.chmod(0o644)
    path.write_bytes(b"spoiled! p000.pn")
    desk.pull(out=desk.home / "other")
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(replace(ALL, link=True))
    assert desk.images() == ALL_IMAGES


def test_a_damaged_cache_is_never_linked_to(desk: Desk) -> None:
    """What is read again takes its place, in the cache too."""
    desk.pull()
    for path in (desk.home / "cache").rglob("*-*"):
        path.chmod(0o644)
        path.write_bytes(bytes(path.stat().st_size))
    pulled = desk.pull(replace(ALL, link=True), out=desk.home / "other")
    assert pulled.sources[Source.SERVER] == pulled.file_count
    assert desk.images(desk.home / "other") == ALL_IMAGES
    desk.pull(replace(ALL, link=True), out=desk.home / "third")
    assert desk.images(desk.home / "third") == ALL_IMAGES
    assert desk.read == []


def test_without_a_cache_a_link_is_a_copy_nobody_writes_to(desk: Desk) -> None:
    desk.context = replace(desk.context, cache_dir=None)
    desk.pull(replace(ALL, link=True))
    path = desk.out / "images/p000.png"
    assert (path.stat().st_nlink, path.stat().st_mode & 0o222) == (1, 0)


def test_what_a_stopped_pull_left_behind_is_still_known_as_ours(desk: Desk) -> None:
    """The bytes of the version before it, under a name that the version after it has not."""
    desk.pull()
    desk.on_main(picture("p001.png", b"changed"))
    desk.fail = failing("lakefs-unreachable", UnavailableError, "images/p001.png")
    with pytest.raises(PartialError):
        desk.pull()
    desk.fail = lambda _: None
    desk.on_main(removed=("images/p001.png",))
    pulled = desk.pull()
    assert (pulled.removed, pulled.extra) == (["images/p001.png"], [])
    assert "p001.png" not in desk.images()


def test_a_copy_after_a_link_may_be_written(desk: Desk) -> None:
    desk.pull(replace(ALL, link=True))
    desk.pull()
    for path in (desk.out / "images").iterdir():
        assert path.stat().st_nlink == 1
        assert path.stat().st_mode & 0o200
    assert desk.read == []


def test_another_version_changes_just_what_differs(desk: Desk) -> None:
    """Pictures that were added, changed, removed; a file that became a folder; and back."""
    desk.on_main(picture("odd", b"a file"))
    desk.world.lake.create_tag("before", desk.world.lake.commit_facts("main").id)
    desk.pull()
    desk.on_main(
        picture("odd/inner.png", b"a folder"),
        picture("p001.png", b"changed"),
        removed=("images/odd", "images/p005.png"),
    )
    now = {**ALL_IMAGES, "p001.png": b"changed", "odd/inner.png": b"a folder"}
    del now["p005.png"]
    pulled = desk.pull()
    assert desk.images() == now
    assert sorted(desk.read) == ["images/odd/inner.png", "images/p001.png"]
    assert pulled.removed == ["images/odd", "images/p005.png"]
    desk.pull(ref="before")
    assert desk.read == []
    assert desk.images() == {**ALL_IMAGES, "odd": b"a file"}


def test_files_no_pull_wrote_are_named_and_left(desk: Desk) -> None:
    desk.pull()
    (desk.out / "images/mine.txt").write_text("mine")
    (desk.out / "train.py").write_text("mine, and no business of a pull's")
    desk.on_main(removed=("images/p005.png",))
    changed = desk.out / "images/p005.png"
    changed.write_bytes(b"I drew on it")
    pulled = desk.pull()
    assert pulled.extra == ["images/mine.txt", "images/p005.png"]
    assert changed.read_bytes() == b"I drew on it"
    pulled = desk.pull(replace(ALL, delete_extra=True))
    assert (pulled.removed, pulled.extra) == (["images/mine.txt", "images/p005.png"], [])
    assert (desk.out / "train.py").exists()
    assert not changed.exists()


def test_a_file_in_the_way_is_not_written_over(desk: Desk) -> None:
    desk.out.mkdir()
    (desk.out / "README.md").write_text("my project")
    with pytest.raises(ConflictError) as caught:
        desk.pull()
    assert (caught.value.code, caught.value.subject) == ("file-in-the-way", "README.md")
    assert [path.name for path in desk.out.iterdir()] == ["README.md"]


def test_pictures_that_are_there_already_are_taken_as_they_are(desk: Desk) -> None:
    (desk.out / "images").mkdir(parents=True)
    (desk.out / "images/p000.png").write_bytes(ALL_IMAGES["p000.png"])
    pulled = desk.pull()
    assert pulled.sources[Source.THERE] == 1
    assert "images/p000.png" not in desk.read


def test_extra_files_of_a_directory_that_was_never_pulled_into_are_safe(desk: Desk) -> None:
    (desk.out / "images").mkdir(parents=True)
    (desk.out / "images/mine.png").write_bytes(b"mine")
    with pytest.raises(RefusedError) as caught:
        desk.pull(replace(ALL, delete_extra=True))
    assert caught.value.code == "not-a-pull"
    assert (desk.out / "images/mine.png").exists()


def test_another_repositorys_pull_is_not_touched(desk: Desk) -> None:
    desk.pull()
    document = json.loads((desk.out / FILE_NAME).read_bytes())
    (desk.out / FILE_NAME).write_text(json.dumps({**document, "repository": "other"}))
    with pytest.raises(RefusedError) as caught:
        desk.pull()
    assert caught.value.code == "other-pull"


def test_a_manifest_that_reaches_outside_is_refused(desk: Desk) -> None:
    """It says what a pull may remove."""
    desk.pull()
    document = json.loads((desk.out / FILE_NAME).read_bytes())
    document["files"][0]["path"] = "../precious"
    (desk.out / FILE_NAME).write_text(json.dumps(document))
    with pytest.raises(InvalidDataError) as caught:
        desk.pull()
    assert caught.value.code == "pull-invalid"


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        (Choice(labeled_only=True), {"p000.png", "p001.png"}),
        (Choice(where="label = 'brie'"), {"p000.png"}),
        (Choice(where="state = 'unfinished'"), {"p003.png", "p004.png", "p005.png"}),
        (Choice(labeled_only=True, where="state = 'empty'"), {"p001.png"}),
    ],
)
def test_a_choice_takes_just_its_pictures(desk: Desk, choice: Choice, keys: set[str]) -> None:
    """And every label file: they are the version's, whatever is looked at."""
    desk.pull(Order(choice=choice))
    assert set(desk.images()) == keys
    assert (desk.out / "snapshot/tasks.parquet").exists()
    desk.pull()
    assert desk.images() == ALL_IMAGES
    desk.pull(Order(choice=choice))
    assert set(desk.images()) == keys


def test_a_choice_that_takes_nothing_is_an_error(desk: Desk) -> None:
    with pytest.raises(NotFoundError) as caught:
        desk.pull(Order(choice=Choice(where="label = 'stilton'")))
    assert caught.value.code == "nothing-to-pull"
    assert not desk.out.exists()


def test_a_dry_run_says_what_the_run_does(desk: Desk) -> None:
    def both(order: Order = ALL, *, ref: str = "main") -> None:
        planned = desk.pull(replace(order, dry_run=True), ref=ref)
        assert desk.read == []
        done = desk.pull(order, ref=ref)
        assert replace(planned, cache_problem=None) == done

    both()
    assert desk.images() == ALL_IMAGES
    desk.on_main(picture("new.png", b"new"), removed=("images/p005.png",))
    both()
    (desk.out / "images/p000.png").write_bytes(b"spoiled")
    (desk.out / "images/mine.png").write_bytes(b"mine")
    both()
    both()


def test_a_dry_run_makes_no_directory(desk: Desk) -> None:
    desk.pull(replace(ALL, dry_run=True))
    assert not desk.out.exists()


def failing(code: str, kind: type[OpsError], *paths: str) -> Callable[[str], None]:
    """A gateway that fails for these paths."""

    def fail(path: str) -> None:
        if path in paths:
            raise kind(code, f"{path} {code}", subject=path, unchanged="nothing", hint="look")

    return fail


def missing(error: OpsError) -> dict[str, str]:
    """The files an error names for programs, and why each is not there."""
    entries = cast("list[dict[str, str]]", error.details["missing"])
    return {entry["path"]: entry["code"] for entry in entries}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("object-data-gone", NotFoundError),
        ("not-in-lakefs", NotFoundError),
        ("lakefs-unreachable", UnavailableError),
        ("object-path", InvalidDataError),
    ],
)
def test_what_is_missing_fails_the_pull_and_is_named(
    desk: Desk, code: str, kind: type[OpsError]
) -> None:
    """The others are there, the directory says that it is not complete; a second run ends it."""
    desk.fail = failing(code, kind, "images/p001.png", "images/p004.png")
    with pytest.raises(PartialError) as caught:
        desk.pull()
    error = caught.value
    assert (error.code, error.exit_code) == ("pull-partial", 10)
    assert missing(error) == {"images/p001.png": code, "images/p004.png": code}
    assert "images/p001.png" in dict(error.where)["files"]
    assert set(desk.images()) == set(ALL_IMAGES) - {"p001.png", "p004.png"}
    assert not decode_pull((desk.out / FILE_NAME).read_bytes()).is_complete
    desk.fail = lambda _: None
    desk.pull()
    assert sorted(desk.read) == ["images/p001.png", "images/p004.png"]
    assert desk.images() == ALL_IMAGES
    assert decode_pull((desk.out / FILE_NAME).read_bytes()).is_complete


def test_a_server_that_is_gone_is_not_asked_for_every_file(desk: Desk) -> None:
    desk.on_main(*(picture(f"q{number:03}.png", b"%d" % number) for number in range(300)))
    paths = [found.path for found in desk.world.lake.list_objects("main", MEDIA_PREFIX)]
    desk.fail = failing("lakefs-unreachable", UnavailableError, *paths)
    with pytest.raises(PartialError) as caught:
        desk.pull(replace(ALL, jobs=4))
    assert len(desk.read) < 60
    assert len(missing(caught.value)) >= 300
    assert "not tried any more" in dict(caught.value.where)["files"]


def test_wrong_credentials_stop_everything(desk: Desk) -> None:
    desk.fail = failing("lakefs-credentials", DeniedError, "images/p001.png")
    with pytest.raises(DeniedError):
        desk.pull()


def test_a_broken_connection_is_tried_again(desk: Desk) -> None:
    broken: Counter[str] = Counter()

    def break_off(path: str) -> None:
        broken[path] += 1
        if broken[path] < 3:
            failing("gateway-broken", UnavailableError, path)(path)

    desk.fail = break_off
    desk.pull()
    assert desk.images() == ALL_IMAGES


@pytest.mark.parametrize("with_sha256", [True, False])
def test_a_wrong_byte_is_refused(desk: Desk, *, with_sha256: bool) -> None:
    """By the SHA-256 that ops recorded, or by lakeFS's md5; nothing of it stays, cache included."""
    metadata = {"sha256": "1" * 64} if with_sha256 else {}
    desk.on_main(replace(picture("bad.png", b"right"), metadata=metadata))
    if not with_sha256:
        # The same size: only the digest can tell.
        tree = desk.world.lake_server.repositories["dataset"].tree_at("main")
        assert tree is not None
        object.__setattr__(tree["images/bad.png"], "data", b"wrong")
    with pytest.raises(PartialError) as caught:
        desk.pull()
    assert missing(caught.value) == {"images/bad.png": "media-differs"}
    assert desk.images() == ALL_IMAGES
    with pytest.raises(PartialError):
        desk.pull(out=desk.home / "other")
    assert "images/bad.png" in desk.read


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (["../x"], "no-file-name"),
        (["/etc/passwd"], "no-file-name"),
        (["a//b.png"], "no-file-name"),
        (["a/./b.png"], "no-file-name"),
        ([f"{'n' * 256}.png"], "no-file-name"),
        (["a", "a/b.png"], "same-file"),
    ],
)
def test_names_that_no_file_can_have_are_refused_before_anything(
    desk: Desk, keys: list[str], code: str
) -> None:
    desk.on_main(*(picture(key, b"x") for key in keys))
    with pytest.raises(InvalidDataError) as caught:
        desk.pull()
    assert caught.value.code == code
    assert desk.read == []
    assert not (desk.out / "images").exists()


def test_names_that_are_odd_are_pulled_as_they_are(desk: Desk) -> None:
    keys = ["A.png", "a.png", "a%20b.png", "a b.png", "käse/日本.png", "e\u0301.png", "\u00e9.png"]
    keys += ["CON", "aux.txt", "a:b.png", "#?.png", ".hidden", "..x", "-rf", "~"]
    desk.on_main(*(picture(key, key.encode()) for key in keys))
    desk.pull()
    assert desk.images() == {**ALL_IMAGES, **{key: key.encode() for key in keys}}


def test_one_directory_takes_one_pull_at_a_time(desk: Desk) -> None:
    with held(desk.out), pytest.raises(RefusedError) as caught:
        desk.pull()
    assert caught.value.code == "directory-in-use"
    desk.pull()
    assert desk.images() == ALL_IMAGES


def test_what_a_killed_pull_left_is_cleared_away(desk: Desk) -> None:
    (desk.out / SCRATCH).mkdir(parents=True)
    (desk.out / SCRATCH / "7").write_bytes(b"half a pic")
    desk.pull()
    assert not (desk.out / SCRATCH).exists()
    assert desk.images() == ALL_IMAGES


def test_a_directory_that_cannot_be_written_is_said(desk: Desk) -> None:
    desk.out.write_text("a file where the directory should be")
    with pytest.raises(ConfigurationError) as caught:
        desk.pull()
    assert caught.value.code == "cannot-write"


def test_an_unknown_ref_is_said(desk: Desk) -> None:
    with pytest.raises(NotFoundError) as caught:
        desk.pull(ref="v9")
    assert caught.value.code == "no-such-ref"
    assert not desk.out.exists()


def test_a_context_without_credentials_says_what_is_missing(desk: Desk) -> None:
    context: Context = replace(desk.context, open_gateway=None, media=None)
    with pytest.raises(ConfigurationError) as caught:
        pull(context, "main", out=desk.out, order=ALL)
    assert caught.value.code == "setting-missing"
