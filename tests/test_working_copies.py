"""Files of DVC and git-lfs held to their digests: built by their formats, and by the programs."""

import json
import os
import shutil
import subprocess
from hashlib import md5, sha256
from pathlib import Path

import pytest

from ops.core.importing.pointers import manifest_md5
from ops.errors import InvalidDataError, NotFoundError, OpsError
from ops.working_copies import WorkingCopy, check_working_copy
from tests.readers import readers_python
from tests.wanted import missing

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


def write(path: Path, data: bytes) -> Path:
    """A file with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def digest(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def refused(*paths: Path) -> OpsError:
    """The error about these files."""
    with pytest.raises(OpsError) as caught:
        check_working_copy(paths)
    error = caught.value
    assert error.unchanged == "nothing was written"
    assert error.hint
    return error


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A DVC working copy with a folder of two files, its manifest in the cache."""
    files = {"a.xml": b"<a/>", "sub/b.xml": b"<b/>"}
    for name, said in files.items():
        write(tmp_path / "data" / name, said)
    md5s = {name: digest(said) for name, said in files.items()}
    manifest = json.dumps([{"md5": md5s[n], "relpath": n} for n in sorted(md5s)]).encode()
    name = digest(manifest)
    assert name == manifest_md5(md5s)
    write(tmp_path / ".dvc" / "cache" / "files" / "md5" / name[:2] / f"{name[2:]}.dir", manifest)
    document = f"outs:\n- md5: {name}.dir\n  size: 8\n  nfiles: 2\n  hash: md5\n  path: data\n"
    write(tmp_path / "data.dvc", document.encode())
    return tmp_path / "data"


def test_files_that_are_what_dvc_says_pass(data: Path) -> None:
    """The folder, a folder in it, or one file; outside of a working copy there is nothing."""
    assert check_working_copy([data]) == WorkingCopy(dvc_count=2)
    assert check_working_copy([data / "sub"]).dvc_count == 1
    assert check_working_copy([data / "a.xml"]).dvc_count == 1
    shutil.rmtree(data.parent / ".dvc" / "cache")
    assert check_working_copy([data]).dvc_count == 2
    shutil.rmtree(data.parent / ".dvc")
    assert check_working_copy([data]) == WorkingCopy()


def test_a_file_that_was_changed_added_or_lost_is_named(data: Path) -> None:
    """By the manifest, and only what was asked for."""
    write(data / "a.xml", b"<other/>")
    error = refused(data)
    assert isinstance(error, InvalidDataError)
    assert (error.code, error.subject) == ("digest-differs", str(data / "a.xml"))
    assert "dvc checkout" in error.hint
    assert check_working_copy([data / "sub"]).dvc_count == 1
    write(data / "a.xml", b"<a/>")
    write(data / "new.xml", b"<new/>")
    assert refused(data).subject == str(data / "new.xml")
    (data / "new.xml").unlink()
    (data / "sub" / "b.xml").unlink()
    assert refused(data).subject == str(data / "sub" / "b.xml")


def test_without_the_cache_the_folder_is_told_as_a_whole(data: Path) -> None:
    """Its manifest is made anew, and its digest compared."""
    shutil.rmtree(data.parent / ".dvc" / "cache")
    write(data / "a.xml", b"<other/>")
    assert refused(data).subject == str(data)


def test_what_was_never_pulled_is_told_with_the_command(data: Path) -> None:
    """A `.dvc` file whose folder is not there."""
    shutil.rmtree(data)
    error = refused(data.parent)
    assert isinstance(error, NotFoundError)
    assert (error.code, error.subject) == ("not-pulled", str(data))
    assert "dvc pull" in error.hint


def test_single_files_and_those_of_dvc_2(tmp_path: Path) -> None:
    """DVC 2 took the digest of text with Unix line ends; its files do not say `hash: md5`."""
    (tmp_path / ".dvc").mkdir()
    text = write(tmp_path / "labels.csv", b"image,label\r\na.jpg,cat\r\n")
    unix = digest(text.read_bytes().replace(b"\r\n", b"\n"))
    document = tmp_path / "labels.csv.dvc"
    write(document, f"outs:\n- md5: {unix}\n  path: labels.csv\n".encode())
    assert check_working_copy([text]).dvc_count == 1
    write(document, f'outs:\n- hash: md5\n  path: "labels.csv"\n  md5: {unix}\n'.encode())
    assert refused(text).code == "digest-differs"


def test_a_dvc_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the file named."""
    (tmp_path / ".dvc").mkdir()
    broken = write(tmp_path / "data.dvc", b"\xff\xfe")
    assert refused(tmp_path).subject == str(broken)


def test_pointers_that_were_never_pulled_are_named_even_without_git(tmp_path: Path) -> None:
    """A picture of 130 bytes that is text."""
    path = write(tmp_path / "a.jpg", POINTER.format("0" * 64, 12345).encode())
    write(tmp_path / "b.jpg", b"version of my own")
    error = refused(tmp_path)
    assert (error.code, error.subject, error.exit_code) == ("not-pulled", str(path), 3)
    assert "git lfs pull" in error.hint


def git(folder: Path, *words: str) -> None:
    """Git, without anybody's own settings."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "ann",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "ann",
        "GIT_COMMITTER_EMAIL": "ann@example.org",
    }
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A git working copy whose index holds pointers for two pictures, one with an accent."""
    git(tmp_path, "init", "-q")
    for name in ("a.jpg", "k\u00e4se 1.jpg"):
        said = f"picture {name}".encode()
        write(tmp_path / name, POINTER.format(sha256(said).hexdigest(), len(said)).encode())
    write(tmp_path / "notes.txt", b"no pointer")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Add pictures")
    for name in ("a.jpg", "k\u00e4se 1.jpg"):
        write(tmp_path / name, f"picture {name}".encode())
    return tmp_path


def test_files_are_held_to_the_pointers_of_the_index(copy: Path) -> None:
    """By SHA-256 and size; git-lfs itself is not needed."""
    assert check_working_copy([copy]) == WorkingCopy(lfs_count=2)
    assert check_working_copy([copy / "a.jpg"]).lfs_count == 1
    write(copy / "k\u00e4se 1.jpg", "picture K\u00e4se 1.jpg".encode())
    error = refused(copy)
    assert (error.code, error.subject) == ("digest-differs", str(copy / "k\u00e4se 1.jpg"))
    (copy / "k\u00e4se 1.jpg").unlink()
    assert refused(copy).code == "not-pulled"


def test_what_git_lfs_itself_made(tmp_path: Path) -> None:
    """Its filter writes the pointer, its smudge the file."""
    if not shutil.which("git-lfs"):
        missing("NO GIT-LFS: apt-get install git-lfs")
    git(tmp_path, "init", "-q")
    git(tmp_path, "lfs", "install", "--local")
    git(tmp_path, "lfs", "track", "*.jpg")
    write(tmp_path / "a.jpg", b"a picture" * 100)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Add a picture")
    assert check_working_copy([tmp_path]).lfs_count == 1
    write(tmp_path / "a.jpg", b"another" * 100)
    assert refused(tmp_path).code == "digest-differs"


def test_what_dvc_itself_made(tmp_path: Path) -> None:
    """`dvc add` of a folder and of a file."""
    program = readers_python().parent / "dvc"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "DVC_NO_ANALYTICS": "1",
    }

    def dvc(*words: str) -> None:
        subprocess.run(
            [program, *words], cwd=tmp_path, env=environment, check=True, capture_output=True
        )

    dvc("init", "-q", "--no-scm")
    for name in ("data/a.xml", "data/s\u00fcd/b 1.xml", "labels.csv"):
        write(tmp_path / name, f"<{name}/>".encode())
    dvc("add", "-q", "data", "labels.csv")
    assert check_working_copy([tmp_path / "data", tmp_path / "labels.csv"]).dvc_count == 3
    write(tmp_path / "data" / "a.xml", b"other")
    assert refused(tmp_path / "data").subject == str(tmp_path / "data" / "a.xml")
    assert check_working_copy([tmp_path / "labels.csv"]).dvc_count == 1
