"""ports.Lake on the real lakeFS and on the one in memory: repositories and objects."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.errors import ConfigurationError, ConflictError, InvalidDataError, NotFoundError
from ops.ports import ChangeKind, Lake, Upload
from tests.lake_bench import (
    BENCHES,
    MAIN,
    NOWHERE,
    LakeBench,
    fresh,
    kinds,
    open_bench,
    paths,
    put,
    save,
)

PATHS = (
    "plain.json",
    "deep/er/x.json",
    "with space.json",
    " leading",
    "trailing ",
    "käse/日本語😀.json",
    "e\u0301 and \u00e9",
    "hash#tag",
    "query?a=b&c",
    "percent%20%41%",
    "plus+and;semi:@,=",
    "quotes'\"`",
    "back\\slash",
    ".hidden/..x",
    "../up",
    "./here",
    "/absolute",
    "double//slash",
    "ends/",
    "line\nfeed\ttab",
    "x" * 1024,
    "ü" * 512,
)


@pytest.fixture(params=BENCHES)
def lakes(request: pytest.FixtureRequest) -> LakeBench:
    """Each server in turn."""
    return open_bench(request)


@pytest.fixture
def lake(lakes: LakeBench) -> Lake:
    """A new repository."""
    return lakes.lake()


def test_the_address_and_the_name_are_those_given(lakes: LakeBench) -> None:
    """What a caller builds URIs from."""
    name = fresh("contract")
    lake = lakes.open(name)
    assert lake.repository == name
    assert lake.url.startswith("http://")
    assert not lake.url.endswith("/")


def test_the_version_is_that_of_the_server(lakes: LakeBench) -> None:
    """The version these tests are about."""
    assert lakes.open("anything").server_version() == "1.84.0"


def test_a_repository_is_created_once(lakes: LakeBench) -> None:
    """Creating it again says that it is there; it starts with branch main alone."""
    lake = lakes.open(fresh("contract"))
    assert not lake.repository_exists()
    assert lake.create_repository(f"local://{lake.repository}")
    assert lake.repository_exists()
    assert not lake.create_repository(f"local://{lake.repository}")
    assert [name for name, _ in lake.branches()] == [MAIN]


def test_a_namespace_serves_one_repository(lakes: LakeBench) -> None:
    """Two repositories in one place would write over each other."""
    first = lakes.lake()
    second = lakes.open(fresh("contract"))
    with pytest.raises(ConflictError) as caught:
        second.create_repository(f"local://{first.repository}")
    assert caught.value.code == "namespace-in-use"
    assert not second.repository_exists()


def test_a_namespace_must_be_of_the_servers_storage(lakes: LakeBench) -> None:
    """A setting that cannot work is named as one."""
    lake = lakes.open(fresh("contract"))
    with pytest.raises(ConfigurationError) as caught:
        lake.create_repository("nonsense")
    assert caught.value.code == "storage-namespace"


def test_a_repository_has_a_name_lakefs_takes(lakes: LakeBench) -> None:
    """The name is at fault, not the server."""
    with pytest.raises(InvalidDataError) as caught:
        lakes.open("Not_A_Name").create_repository(f"local://{fresh('x')}")
    assert caught.value.code == "lakefs-name"


MISSING: Sequence[tuple[str, Callable[[Lake], object]]] = (
    ("is_protected", lambda lake: lake.is_protected(MAIN)),
    ("protect", lambda lake: lake.protect(MAIN)),
    ("commit_facts", lambda lake: lake.commit_facts(MAIN)),
    ("log", lambda lake: list(lake.log(MAIN))),
    ("branches", lambda lake: list(lake.branches())),
    ("create_branch", lambda lake: lake.create_branch("a", MAIN)),
    ("delete_branch", lambda lake: lake.delete_branch("a")),
    ("list_objects", lambda lake: list(lake.list_objects(MAIN))),
    ("read", lambda lake: lake.read(MAIN, "a")),
    ("read_many", lambda lake: list(lake.read_many(MAIN, ["a"]))),
    ("write_many", lambda lake: lake.write_many(MAIN, [Upload(path="a", data=b"")])),
    ("write_if_absent", lambda lake: lake.write_if_absent(MAIN, Upload(path="a", data=b""))),
    ("delete_many", lambda lake: lake.delete_many(MAIN, ["a"])),
    ("uncommitted", lambda lake: list(lake.uncommitted(MAIN))),
    ("discard", lambda lake: lake.discard(MAIN)),
    ("commit", lambda lake: lake.commit(MAIN, "a", {})),
    ("diff", lambda lake: list(lake.diff(MAIN, "main~1"))),
    ("merge", lambda lake: lake.merge("a", MAIN, "a", {})),
    ("merge_base", lambda lake: lake.merge_base("a", MAIN)),
    ("tags", lambda lake: list(lake.tags())),
    ("create_tag", lambda lake: lake.create_tag("a", NOWHERE)),
)


@pytest.mark.parametrize("use", [use for _, use in MISSING], ids=[name for name, _ in MISSING])
def test_a_missing_repository_is_named(lakes: LakeBench, use: Callable[[Lake], object]) -> None:
    """Whatever is asked of it: never an empty answer."""
    lake = lakes.open(fresh("contract"))
    with pytest.raises(NotFoundError) as caught:
        use(lake)
    assert caught.value.code == "no-repository"


def test_a_missing_repository_has_no_commit(lakes: LakeBench) -> None:
    """The one question that is asked before there is a repository."""
    assert lakes.open(fresh("contract")).find_commit(MAIN) is None


ABSENT: Sequence[tuple[str, Callable[[Lake], object]]] = (
    ("commit_facts", lambda lake: lake.commit_facts("nope")),
    ("log", lambda lake: list(lake.log("nope"))),
    ("create_branch", lambda lake: lake.create_branch("a", "nope")),
    ("list_objects", lambda lake: list(lake.list_objects("nope"))),
    ("read_many", lambda lake: list(lake.read_many("nope", ["a"]))),
    ("write_many", lambda lake: lake.write_many("nope", [Upload(path="a", data=b"")])),
    ("write_if_absent", lambda lake: lake.write_if_absent("nope", Upload(path="a", data=b""))),
    ("delete_many", lambda lake: lake.delete_many("nope", ["a"])),
    ("uncommitted", lambda lake: list(lake.uncommitted("nope"))),
    ("discard", lambda lake: lake.discard("nope")),
    ("commit", lambda lake: lake.commit("nope", "a", {})),
    ("diff left", lambda lake: list(lake.diff("nope", MAIN))),
    ("diff right", lambda lake: list(lake.diff(MAIN, "nope"))),
    ("merge from", lambda lake: lake.merge("nope", MAIN, "a", {})),
    ("merge into", lambda lake: lake.merge(MAIN, "nope", "a", {})),
    ("merge_base", lambda lake: lake.merge_base("nope", MAIN)),
    ("create_tag", lambda lake: lake.create_tag("a", NOWHERE)),
)


@pytest.mark.parametrize("use", [use for _, use in ABSENT], ids=[name for name, _ in ABSENT])
def test_a_missing_ref_is_named(lake: Lake, use: Callable[[Lake], object]) -> None:
    """Never an empty answer: a mistyped branch must not look like an empty one."""
    with pytest.raises(NotFoundError) as caught:
        use(lake)
    assert caught.value.code == "not-in-lakefs"


LAZY: dict[str, Callable[[Lake], Iterator[object]]] = {
    "log": lambda lake: lake.log("nope"),
    "branches": lambda lake: lake.branches(),
    "list_objects": lambda lake: lake.list_objects("nope"),
    "read_many": lambda lake: lake.read_many("nope", ["a"]),
    "uncommitted": lambda lake: lake.uncommitted("nope"),
    "diff": lambda lake: lake.diff("nope", MAIN),
    "tags": lambda lake: lake.tags(),
}


@pytest.mark.parametrize("ask", LAZY.values(), ids=LAZY)
def test_a_listing_fails_when_it_is_looked_at(
    lakes: LakeBench, ask: Callable[[Lake], Iterator[object]]
) -> None:
    """Nothing is asked before."""
    listing = ask(lakes.open(fresh("contract")))
    with pytest.raises(NotFoundError):
        next(listing)


def test_every_path_survives(lake: Lake) -> None:
    """Upload, listing, reading, comparison and removal agree on what a path is."""
    put(lake, MAIN, {path: path.encode() for path in PATHS})
    assert paths(lake, MAIN) == sorted(PATHS)
    assert set(kinds(lake.uncommitted(MAIN))) == set(PATHS)
    assert lake.commit(MAIN, "Every path", {})
    assert [lake.read(MAIN, path) for path in PATHS] == [path.encode() for path in PATHS]
    assert list(lake.read_many(MAIN, PATHS)) == [(path, path.encode()) for path in PATHS]
    lake.delete_many(MAIN, PATHS)
    assert paths(lake, MAIN) == []


@pytest.mark.parametrize("path", ["", "x" * 1025, "ü" * 513, "\ud800"], ids=ascii)
def test_a_path_lakefs_cannot_hold_is_refused(lake: Lake, path: str) -> None:
    """Before anything is sent, and by name."""
    with pytest.raises(InvalidDataError) as caught:
        lake.write_many(MAIN, [Upload(path=path, data=b"1")])
    assert caught.value.code == "object-path"
    assert paths(lake, MAIN) == []


def test_a_listing_says_what_is_stored(lake: Lake) -> None:
    """Size and MD5, below a prefix."""
    put(lake, MAIN, {"a/1": b"one", "a/2": b"", "b": b"x"})
    found = list(lake.list_objects(MAIN, "a/"))
    assert [(each.path, each.size_bytes) for each in found] == [("a/1", 3), ("a/2", 0)]
    assert found[0].checksum == hashlib.md5(b"one", usedforsecurity=False).hexdigest()
    assert paths(lake, MAIN, "c") == []


def test_an_object_is_looked_at_through_time(lake: Lake) -> None:
    """In the order of the refs, where it is there, and where it is not or there is no such ref."""
    root = str(lake.find_commit(MAIN))
    first = save(lake, MAIN, {"a": b"1"})
    second = save(lake, MAIN, {"a": b"2", "b": b"1"})
    put(lake, MAIN, {"a": b"3"})
    sums = {data: hashlib.md5(data, usedforsecurity=False).hexdigest() for data in (b"1", b"2")}
    refs = [second, root, first, "nope", second]
    found = list(lake.checksums_at(refs, "a"))
    assert found == [sums[b"2"], None, sums[b"1"], None, sums[b"2"]]
    assert list(lake.checksums_at([], "a")) == []
    many = list(lake.checksums_at([first, second] * 60, "a"))
    assert many == [sums[b"1"], sums[b"2"]] * 60


def test_metadata_is_listed_where_asked_for(lake: Lake) -> None:
    """As it was given."""
    metadata = {"sha256": "ab" * 32, "width": "640", "original-name": "Käse 1.png", "empty": ""}
    upload = Upload(path="images/a.png", data=b"png", content_type="image/png", metadata=metadata)
    lake.write_many(MAIN, [upload])
    assert [found.metadata for found in lake.list_objects(MAIN, metadata=True)] == [metadata]
    assert [found.metadata for found in lake.list_objects(MAIN)] == [{}]


@pytest.mark.parametrize(
    "metadata",
    [{"Upper": "x"}, {"": "x"}, {"a": " x"}, {"a": "x\ny"}, {"a b": "x"}, {"ä": "x"}],
    ids=str,
)
def test_metadata_that_would_change_on_the_way_is_refused(
    lake: Lake, metadata: dict[str, str]
) -> None:
    """It travels as HTTP headers."""
    with pytest.raises(InvalidDataError):
        lake.write_many(MAIN, [Upload(path="a", data=b"1", metadata=metadata)])
    assert paths(lake, MAIN) == []


def test_equal_bytes_of_another_kind_are_a_change(lake: Lake) -> None:
    """Which is why records have one content type and no metadata."""
    save(lake, MAIN, {"a": b"1", "b": b"1"})
    lake.write_many(MAIN, [Upload(path="a", data=b"1", content_type="text/plain")])
    lake.write_many(MAIN, [Upload(path="b", data=b"1", metadata={"k": "v"})])
    assert kinds(lake.uncommitted(MAIN)) == {"a": ChangeKind.CHANGED, "b": ChangeKind.CHANGED}


def test_what_is_staged_shows_on_the_branch_alone(lake: Lake) -> None:
    """In listings and reads of the branch; not at its commit, nor in comparisons."""
    head = save(lake, MAIN, {"kept": b"1", "changed": b"1", "removed": b"1"})
    put(lake, MAIN, {"changed": b"2", "added": b"1"})
    lake.delete_many(MAIN, ["removed", "never there"])
    assert kinds(lake.uncommitted(MAIN)) == {
        "added": ChangeKind.ADDED,
        "changed": ChangeKind.CHANGED,
        "removed": ChangeKind.REMOVED,
    }
    assert paths(lake, MAIN) == ["added", "changed", "kept"]
    assert lake.read(MAIN, "changed") == b"2"
    assert lake.read(MAIN, "removed") is None
    assert paths(lake, head) == ["changed", "kept", "removed"]
    assert lake.read(head, "changed") == b"1"
    assert list(lake.diff(head, MAIN)) == []


def test_discarding_leaves_what_is_committed(lake: Lake) -> None:
    """And does nothing where nothing is staged."""
    head = save(lake, MAIN, {"a": b"1"})
    put(lake, MAIN, {"a": b"2", "b": b"1"})
    lake.discard(MAIN)
    assert list(lake.uncommitted(MAIN)) == []
    assert lake.read(MAIN, "a") == b"1"
    lake.discard(MAIN)
    assert lake.find_commit(MAIN) == head


def test_what_is_not_there_reads_as_none(lake: Lake) -> None:
    """Neither the object nor the ref."""
    assert lake.read(MAIN, "nope") is None
    assert lake.read("nope", "nope") is None


def test_reading_many_keeps_their_order(lake: Lake) -> None:
    """Whatever order the answers come in."""
    put(lake, MAIN, {f"{number:03}": str(number).encode() for number in range(200)})
    wanted = [f"{number * 7 % 200:03}" for number in range(200)]
    found = list(lake.read_many(MAIN, iter(wanted)))
    assert found == [(path, str(int(path)).encode()) for path in wanted]


def test_reading_many_names_the_one_that_is_not_there(lake: Lake) -> None:
    """It is an object the caller knew of."""
    put(lake, MAIN, {"a": b"1"})
    with pytest.raises(NotFoundError) as caught:
        list(lake.read_many(MAIN, ["a", "nope", "a"]))
    assert caught.value.subject == "nope"


def test_writing_tells_of_each_object_it_stored(lake: Lake) -> None:
    """Once each."""
    told: list[str] = []
    uploads = [Upload(path=f"{number}", data=b"1") for number in range(60)]
    assert lake.write_many(MAIN, iter(uploads), done=lambda upload: told.append(upload.path)) == 60
    assert sorted(told) == sorted(upload.path for upload in uploads)
    assert lake.write_many(MAIN, []) == 0


def test_writing_stops_at_a_failure(lake: Lake) -> None:
    """What is to come is not even pulled."""
    pulled: list[int] = []

    def uploads() -> Iterator[Upload]:
        for number in range(1000):
            pulled.append(number)
            yield Upload(path="x" * 2000 if number == 3 else f"{number}", data=b"1")

    with pytest.raises(InvalidDataError):
        lake.write_many(MAIN, uploads())
    assert len(pulled) < 100
    assert set(paths(lake, MAIN)) <= {str(number) for number in pulled}


def test_one_of_many_stores_what_is_absent(lake: Lake) -> None:
    """It serves as a lock."""

    def store(number: int) -> bool:
        return lake.write_if_absent(MAIN, Upload(path="lock", data=str(number).encode()))

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(store, range(16)))
    assert won.count(True) == 1
    assert lake.read(MAIN, "lock") == str(won.index(True)).encode()


def test_what_was_removed_is_absent(lake: Lake) -> None:
    """A staged removal counts."""
    save(lake, MAIN, {"a": b"1"})
    assert not lake.write_if_absent(MAIN, Upload(path="a", data=b"2"))
    lake.delete_many(MAIN, ["a"])
    assert lake.write_if_absent(MAIN, Upload(path="a", data=b"3"))
    assert lake.read(MAIN, "a") == b"3"


def test_more_than_a_page_is_listed_compared_and_removed(lake: Lake) -> None:
    """The server gives and takes 1 000 at a time."""
    names = [f"many/{number:04}" for number in range(1200)]
    root = lake.find_commit(MAIN)
    assert root
    put(lake, MAIN, dict.fromkeys(names, b"1"))
    assert paths(lake, MAIN, "many/") == names
    assert list(kinds(lake.uncommitted(MAIN))) == names
    head = lake.commit(MAIN, "Many", {})
    assert head
    assert list(kinds(lake.diff(root, head))) == names
    lake.delete_many(MAIN, names)
    assert paths(lake, MAIN) == []
