"""Where the lakeFS program comes from: each way, their order, and what is said.

The programs here are small scripts that answer `--version`; the release is served from this
machine's loopback.
"""

import contextlib
import hashlib
import io
import os
import platform
import tarfile
import threading
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.errors import ConfigurationError, InvalidDataError
from ops.local.home import Home
from ops.local.lakefs import VERSION
from ops.local.lakefs_binary import Sources, find_binary, program_version
from ops.local.lakefs_release import NoReleaseError, archive_name
from tests.narration import Narration

_NOWHERE = "http://127.0.0.1:9"


def _program(path: Path, version: str = VERSION, mark: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n# {mark}\necho lakefs version {version}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _release(version: str = VERSION, member: str = "lakefs") -> dict[str, bytes]:
    """What a release's folder serves, by file name."""
    script = f"#!/bin/sh\n# released\necho lakefs version {version}\n".encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("README.md", member, "lakectl"):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(script), 0o755
            archive.addfile(info, io.BytesIO(script))
    name = archive_name(platform.system(), platform.machine())
    content = buffer.getvalue()
    sums = f"{'0' * 64}  other.tar.gz\n{hashlib.sha256(content).hexdigest()}  {name}\n"
    return {name: content, "checksums.txt": sums.encode()}


@contextlib.contextmanager
def _served(files: Mapping[str, bytes], *, cut_bytes: int = 0) -> Generator[str]:
    """A server of files; of archives it holds back the last `cut_bytes`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            if self.path != f"/v{VERSION}/{name}" or name not in files:
                self.send_error(404)
                return
            content = files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            kept = len(content) - (cut_bytes if name.endswith(".gz") else 0)
            self.wfile.write(content[:kept])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - their name
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _sources(tmp_path: Path, *, releases_url: str = _NOWHERE) -> Sources:
    """Sources on an otherwise empty machine."""
    return Sources(
        search_path=f"{tmp_path / 'path'}:/usr/bin:/bin",
        releases_url=releases_url,
        recipe=tmp_path / "recipe",
    )


def _recipe(tmp_path: Path, go: str) -> None:
    """A recipe, and a `go` on the search path that does this."""
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "go.mod").write_text("module x\n", encoding="utf-8")
    program = tmp_path / "path" / "go"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{go}\n", encoding="utf-8")
    program.chmod(0o755)


_GO_THAT_BUILDS = f"""
if [ "$1" = list ]; then echo one; echo two; echo "go: downloading three" >&2; exit 0; fi
echo one >&2
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n# built with cgo %s\\necho lakefs version {VERSION}\\n' "$CGO_ENABLED" > "$2"
chmod 755 "$2"
"""


def test_each_way_yields_to_the_one_before_it(tmp_path: Path) -> None:
    """Explicit setting, PATH, obtained earlier, release, build: in this order."""
    home, narration = Home.at(tmp_path / ".ops"), Narration()
    explicit = _program(tmp_path / "mine")
    on_path = _program(tmp_path / "path" / "lakefs")
    kept = home.binaries / f"lakefs-{VERSION}"
    _recipe(tmp_path, _GO_THAT_BUILDS)
    with _served(_release()) as url:
        sources = _sources(tmp_path, releases_url=url)
        assert find_binary(home, narration, explicit=explicit, sources=sources) == explicit
        assert find_binary(home, narration, sources=sources) == on_path
        on_path.unlink()
        _program(kept, mark="kept")
        assert find_binary(home, narration, sources=sources) == kept
        assert "kept" in kept.read_text(encoding="utf-8")
        kept.unlink()
        assert find_binary(home, narration, sources=sources) == kept
        assert "released" in kept.read_text(encoding="utf-8")
    kept.unlink()
    assert find_binary(home, narration, sources=_sources(tmp_path)) == kept
    assert "built with cgo 0" in kept.read_text(encoding="utf-8")


def test_a_program_of_another_version_is_passed_over_and_named(tmp_path: Path) -> None:
    """What is on PATH is used only where it is the pinned version."""
    home, narration = Home.at(tmp_path / ".ops"), Narration()
    _program(tmp_path / "path" / "lakefs", version="1.70.0")
    kept = _program(home.binaries / f"lakefs-{VERSION}")
    assert find_binary(home, narration, sources=_sources(tmp_path)) == kept
    assert any("1.70.0" in note and "passed over" in note for note in narration.notes)


@pytest.mark.parametrize(("version", "said"), [("1.70.0", "is lakeFS 1.70.0"), (None, "is no")])
def test_an_explicit_program_that_does_not_fit_is_refused(
    tmp_path: Path, version: str | None, said: str
) -> None:
    """A setting is obeyed or refused, never passed over."""
    path = tmp_path / "mine" if version is None else _program(tmp_path / "mine", version)
    with pytest.raises(ConfigurationError) as refused:
        find_binary(Home.at(tmp_path / ".ops"), Narration(), explicit=path)
    assert refused.value.code == "lakefs-binary"
    assert said in refused.value.message


def test_a_download_that_is_not_the_release_is_refused(tmp_path: Path) -> None:
    """A wrong checksum ends it: nothing is kept, run or built instead."""
    home = Home.at(tmp_path / ".ops")
    _recipe(tmp_path, _GO_THAT_BUILDS)
    files = _release()
    name = archive_name(platform.system(), platform.machine())
    files[name] += b"x"
    with _served(files) as url, pytest.raises(InvalidDataError) as refused:
        find_binary(home, Narration(), sources=_sources(tmp_path, releases_url=url))
    assert refused.value.code == "lakefs-checksum"
    assert dict(refused.value.where)["found"] == hashlib.sha256(files[name]).hexdigest()
    assert [path.name for path in home.binaries.iterdir()] == [".lock"]


def test_a_download_that_breaks_off_is_not_used(tmp_path: Path) -> None:
    """A connection cut in the middle falls through to the build, with its reason told."""
    home, narration = Home.at(tmp_path / ".ops"), Narration()
    _recipe(tmp_path, _GO_THAT_BUILDS)
    with _served(_release(), cut_bytes=100) as url:
        kept = find_binary(home, narration, sources=_sources(tmp_path, releases_url=url))
    assert "built" in kept.read_text(encoding="utf-8")
    assert any("broke off" in note for note in narration.notes)
    assert sorted(path.name for path in home.binaries.iterdir()) == [".lock", kept.name]


def test_a_release_without_the_program_is_not_used(tmp_path: Path) -> None:
    """An archive that holds something else falls through to the build."""
    _recipe(tmp_path, _GO_THAT_BUILDS)
    with _served(_release(member="something")) as url:
        sources = _sources(tmp_path, releases_url=url)
        kept = find_binary(Home.at(tmp_path / ".ops"), Narration(), sources=sources)
    assert "built" in kept.read_text(encoding="utf-8")


def test_progress_is_told(tmp_path: Path) -> None:
    """The long ways say what they do: the download its size, the build its packages."""
    with _served(_release()) as url:
        narration = Narration()
        sources = _sources(tmp_path, releases_url=url)
        find_binary(Home.at(tmp_path / "one"), narration, sources=sources)
        assert narration.phases == ["lakeFS: downloading the release"]
        assert narration.counts == [(1, 1)]
    narration = Narration()
    _recipe(tmp_path, _GO_THAT_BUILDS)
    find_binary(Home.at(tmp_path / "two"), narration, sources=_sources(tmp_path))
    assert narration.phases == ["lakeFS: fetching modules", "lakeFS: compiling packages"]
    assert narration.counts == [(1, None), (1, 2)]
    assert any("about 3 minutes" in note for note in narration.notes)
    assert any("without its web pages" in note for note in narration.notes)


def test_a_build_that_fails_says_what_go_said(tmp_path: Path) -> None:
    """The end of go's words is in the error, all of them in the log; no program is left."""
    home = Home.at(tmp_path / ".ops")
    _recipe(tmp_path, 'echo "first" >&2; echo "no space left on device" >&2; exit 1')
    with pytest.raises(ConfigurationError) as refused:
        find_binary(home, Narration(), sources=_sources(tmp_path))
    assert refused.value.code == "lakefs-build"
    assert ("said", "no space left on device") in refused.value.where
    log = Path(dict(refused.value.where)["log"])
    assert log.read_text(encoding="utf-8").splitlines() == ["first", "no space left on device"]
    assert [path.name for path in home.binaries.iterdir()] == [".lock"]


def test_a_built_program_that_does_not_run_is_not_kept(tmp_path: Path) -> None:
    """Whatever was got must answer with the pinned version."""
    home = Home.at(tmp_path / ".ops")
    _recipe(tmp_path, 'while [ $# -gt 1 ] && [ "$1" != -o ]; do shift; done; echo x > "$2"')
    with pytest.raises(ConfigurationError):
        find_binary(home, Narration(), sources=_sources(tmp_path))
    assert [path.name for path in home.binaries.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("with_recipe", "said"), [(True, "no Go on PATH"), (False, "without its source checkout")]
)
def test_where_there_is_no_way_each_one_is_named(
    tmp_path: Path, with_recipe: bool, said: str
) -> None:
    """The error says why each way failed, and what would help."""
    if with_recipe:
        _recipe(tmp_path, "exit 1")
        (tmp_path / "path" / "go").unlink()
    sources = Sources(search_path=os.devnull, releases_url=_NOWHERE, recipe=tmp_path / "recipe")
    with pytest.raises(ConfigurationError) as refused:
        find_binary(Home.at(tmp_path / ".ops"), Narration(), sources=sources)
    where = dict(refused.value.where)
    assert refused.value.code == "lakefs-missing"
    assert "does not answer" in where["download"]
    assert said in where["build"]
    assert "OPS_LAKEFS_BINARY" in refused.value.hint


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "Linux_x86_64"),
        ("Linux", "aarch64", "Linux_arm64"),
        ("Darwin", "arm64", "Darwin_arm64"),
        ("Darwin", "x86_64", "Darwin_x86_64"),
    ],
)
def test_archives_are_named_as_published(system: str, machine: str, name: str) -> None:
    """The four machines there are releases for."""
    assert archive_name(system, machine) == f"lakeFS_{VERSION}_{name}.tar.gz"


def test_a_machine_without_a_release_is_told() -> None:
    """No guessing of names for machines nothing is published for."""
    with pytest.raises(NoReleaseError, match="riscv64"):
        archive_name("Linux", "riscv64")


def test_the_version_is_what_the_program_says(tmp_path: Path) -> None:
    """And nothing where it says nothing of the kind or fails."""
    assert program_version(_program(tmp_path / "good")) == VERSION
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\necho lakefs version {VERSION}; exit 1\n", encoding="utf-8")
    liar.chmod(0o755)
    assert program_version(liar) is None
    assert program_version(tmp_path / "missing") is None
    assert program_version(tmp_path) is None


def test_the_checkout_carries_the_recipe() -> None:
    """The go.mod that builds lakeFS is in the tree, at the version ops asks for."""
    recipe = Sources().recipe
    assert f"github.com/treeverse/lakefs v{VERSION}" in (recipe / "go.mod").read_text("utf-8")
    assert f"github.com/treeverse/lakefs v{VERSION} h1:" in (recipe / "go.sum").read_text("utf-8")
