"""`dataset pull` on servers in memory: when it fails, what is named and what stays."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ops.core.names import MEDIA_PREFIX
from ops.core.pulls import FILE_NAME, decode_pull
from ops.errors import (
    ConfigurationError,
    DeniedError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    PartialError,
    RefusedError,
    UnavailableError,
)
from ops.files import SCRATCH, held
from ops.runner.context import Context
from ops.runner.pull import pull
from tests.runner.pulling import ALL, ALL_IMAGES, Desk, failing, picture


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk of this test's own."""
    return Desk(tmp_path)


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
