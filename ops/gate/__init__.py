"""The gate's files, as they lie in a repository for lakeFS to run and for people to read.

`ops.yaml` tells lakeFS when to run `gate.lua`; `gates.toml` holds every setting with its default.
Owns which of them goes where. Does not write them (ops/runner/init.py, ops/runner/gates.py), and
checks nothing itself.
"""

from collections.abc import Mapping
from importlib.resources import files

from ops.core.names import ACTION_PATH, GATE_SCRIPT_PATH


def hook_files() -> Mapping[str, bytes]:
    """The hook this version of ops ships, by path in a repository."""
    return {ACTION_PATH: _shipped("ops.yaml"), GATE_SCRIPT_PATH: _shipped("gate.lua")}


def default_settings() -> bytes:
    """The `gates.toml` a new repository gets: every setting, explained, at its default."""
    return _shipped("gates.toml")


def _shipped(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()
