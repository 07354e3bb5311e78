"""`secrets/ops.toml`: what `ops config use --stack` took from a stack, in one private file.

Owns its layout, and who may read it: its owner alone, and never git. Does not know where the values
come from (outputs.py), nor what wins over them (ops/settings.py).
"""

import json
import os
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, cast

from ops.errors import ConfigurationError
from ops.local.home import CannotWriteError, make_private, write_private

DIRECTORY = "secrets"
NAME = "ops.toml"
_SCHEMA = "ops.stack-file/1"
_UNCHANGED = "nothing was read or written"
_OTHERS = 0o077
_GIT_S = 10
_KEEP_OUT_OF_GIT = "# Credentials of `ops config use`.\n*\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFile:
    """What is remembered of a stack.

    Attributes:
        name: the stack's.
        settings: values by setting name.
        facts: what else is needed to reach its servers: namespace, kubeconfig and the like.
    """

    name: str
    settings: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def source(self) -> str:
        """What `ops config show` calls it."""
        return f"stack {self.name} ({DIRECTORY}/{NAME})"

    @property
    def is_forwarded(self) -> bool:
        """Whether its servers are reached through `ops open --forward`."""
        return self.facts.get("is_forwarded") == "true"


def path_in(directory: Path) -> Path:
    """Where the file is, below a working directory."""
    return directory / DIRECTORY / NAME


def read(directory: Path) -> StackFile | None:
    """What the file says; None where there is none. One run of `git` where there is one.

    Raises:
        ConfigurationError: others may read it, git has it, or it says nothing usable.
    """
    path = path_in(directory)
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _refuse_content(path, error)
    if mode & _OTHERS:
        raise ConfigurationError(
            "stack-file-open",
            f"others may read {path}, and it holds secrets",
            subject=str(path),
            unchanged=_UNCHANGED,
            hint=f"chmod 600 {path}\nand where others have been on this machine: rotate the "
            "credentials (secrets/README.md)",
        )
    refuse_tracked(path)
    return _parsed(path, text)


def refuse_tracked(path: Path) -> None:
    """Make sure that git has not got the file. One run of `git`; where there is none, nothing.

    Raises:
        ConfigurationError: it has.
    """
    if _git(path.parent, "ls-files", "--error-unmatch", path.name) == 0:
        raise ConfigurationError(
            "stack-file-tracked",
            f"git has {path}, and it holds secrets",
            subject=str(path),
            unchanged=_UNCHANGED,
            hint=f"git rm --cached {path}\nwhat was committed is known to whoever has the "
            "repository: rotate the credentials (secrets/README.md)",
        )


def write(directory: Path, found: StackFile) -> bool:
    """Keep it, mode 0600, at once or not at all; False if it was kept so already.

    Raises:
        ConfigurationError: it cannot be written, or git has it.
    """
    path, text = path_in(directory), _rendered(found)
    make_private(path.parent)
    refuse_tracked(path)
    _keep_out_of_git(path)
    try:
        if path.read_text("utf-8") == text and not path.stat().st_mode & _OTHERS:
            return False
    except (OSError, ValueError):
        pass
    write_private(path, text)
    return True


def remove(directory: Path) -> bool:
    """Forget the stack, and what was written beside the file to reach it; False if there is none.

    Raises:
        CannotWriteError: a file is not ours to remove.
    """
    path = path_in(directory)
    there = [one for one in (path, kubeconfig_in(directory)) if one.exists()]
    for one in there:
        try:
            one.unlink()
        except OSError as error:
            raise CannotWriteError(one, str(error.strerror)) from error
    return path in there


def kubeconfig_in(directory: Path) -> Path:
    """Where the cluster's kubeconfig is written for kubectl."""
    return directory / DIRECTORY / "kubeconfig.yaml"


def _keep_out_of_git(path: Path) -> None:
    """Let `git add` pass the directory over, unless the repository's own rules do already."""
    ignore = path.with_name(".gitignore")
    if _git(path.parent, "check-ignore", "--quiet", path.name) == 1 and not ignore.exists():
        write_private(ignore, _KEEP_OUT_OF_GIT)


def _git(directory: Path, *arguments: str) -> int | None:
    """The exit code of git in a directory; None where there is no git."""
    # Within a hook of git's, its variables name the repository of the hook.
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_GIT_S,
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return None


def _rendered(found: StackFile) -> str:
    lines = [
        f"# Made by `ops config use --stack {found.name}`: the addresses and credentials of that",
        "# stack. It holds secrets: for its owner alone, kept out of git. Take them anew with the",
        "# same command, and away with `ops config use --local`.",
        f"schema = {_quoted(_SCHEMA)}",
        f"stack = {_quoted(found.name)}",
        "",
        "[settings]",
        *(f"{_quoted(name)} = {_quoted(value)}" for name, value in sorted(found.settings.items())),
        "",
        "[facts]",
        *(f"{_quoted(name)} = {_quoted(value)}" for name, value in sorted(found.facts.items())),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # TOML takes JSON's escapes, but no pair of surrogates, and no bare DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parsed(path: Path, text: str) -> StackFile:
    try:
        document = tomllib.loads(text)
        if document["schema"] != _SCHEMA:
            _refuse_content(path, None)
        return StackFile(
            name=str(document["stack"]),
            settings=_texts(document["settings"]),
            facts=_texts(document["facts"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        _refuse_content(path, error)


def _texts(table: object) -> Mapping[str, str]:
    return {name: str(value) for name, value in cast("Mapping[str, object]", table).items()}


def _refuse_content(path: Path, cause: Exception | None) -> NoReturn:
    raise ConfigurationError(
        "stack-file",
        f"{path} is not what ops writes there",
        subject=str(path),
        unchanged=_UNCHANGED,
        hint="take the settings anew: ops config use --stack NAME\n"
        "or go back to the local servers: ops config use --local",
    ) from cause
