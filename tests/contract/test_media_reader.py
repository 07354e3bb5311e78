"""ports.MediaReader: the fake and the real S3 gateway, held to the same suite."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ops.errors import NotFoundError
from ops.gateway import Gateway
from ops.lake import LakeFS
from ops.local import Connection
from ops.ports import Lake, MediaReader, Upload
from tests.fakes.gateway import FakeGateway
from tests.fakes.lake import FakeLake

ODD = (
    *("a b.jpg", "a%20b.jpg", "a#b.jpg", "käse/日本.jpg", "a+b.jpg", "~x.jpg", "a:b.jpg", "CON"),
    *("A.jpg", "a.jpg", "a&b=c;d.jpg", 'q"x|<>*.jpg', "e\u0301.jpg", "[x]{y}^`.jpg", "..x/.h"),
)


@dataclass(frozen=True)
class Both:
    """A repository and what reads it."""

    lake: Lake
    reader: MediaReader


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.servers)])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """Each in turn, with objects of odd names on main."""
    name = f"media-{uuid.uuid4().hex[:8]}"
    if request.param == "fake":
        fake = FakeLake(name)
        fake.create_repository(f"mem://{name}")
        yield _filled(Both(fake, FakeGateway(fake)))
        return
    real: Connection = request.getfixturevalue("servers")
    keys = (real.lakefs_url, real.lakefs_access_key_id, real.lakefs_secret_access_key)
    lake = LakeFS(*keys, name)
    lake.create_repository(f"local://{name}")
    yield _filled(Both(lake, Gateway(*keys, name)))


def _filled(both: Both) -> Both:
    both.lake.write_many("main", [Upload(path=f"images/{key}", data=key.encode()) for key in ODD])
    both.lake.commit("main", "pictures", {})
    return both


def test_every_name_is_read_as_it_is(both: Both) -> None:
    """At a commit and at a branch; percent signs, case and accents are no others' names."""
    head = both.lake.find_commit("main")
    assert head is not None
    for ref in (head, "main"):
        read = dict(both.reader.read_many(ref, [f"images/{key}" for key in ODD], workers=4))
        assert read == {f"images/{key}": key.encode() for key in ODD}


def test_the_pieces_are_the_whole(both: Both) -> None:
    """In their order, and an empty object has none that say anything."""
    both.lake.write_many("main", [Upload(path="images/empty", data=b"")])
    both.lake.commit("main", "empty", {})
    assert b"".join(both.reader.pieces("main", "images/empty")) == b""
    assert b"".join(both.reader.pieces("main", f"images/{ODD[3]}")) == ODD[3].encode()


@pytest.mark.parametrize("ref", ["main", "nowhere"])
def test_what_is_not_there_is_named(both: Both, ref: str) -> None:
    """An object, or the ref it should be at."""
    with pytest.raises(NotFoundError) as raised:
        list(both.reader.read_many(ref, ["images/none.jpg"]))
    assert (raised.value.code, raised.value.subject) == ("not-in-lakefs", "images/none.jpg")


def test_nothing_is_read_before_it_is_asked_for(both: Both) -> None:
    """Ten thousand paths do not become ten thousand objects in memory."""
    asked: list[str] = []

    def paths() -> Iterator[str]:
        for number in range(10_000):
            asked.append(f"images/{ODD[number % len(ODD)]}")
            yield asked[-1]

    first = next(iter(both.reader.read_many("main", paths(), workers=2)))
    assert first[0].removeprefix("images/").encode() == first[1]
    assert len(asked) < 20
