"""Whether machines would see the same in the same bytes: by the versions of what looks at them.

Owns which packages have to be the same everywhere. Runs on a cluster's workers, too, so it imports
nothing that they may lack.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from ops.errors import ConfigurationError

SAME_EVERYWHERE = ("daft", "pillow", "imagehash")


def versions() -> dict[str, str]:
    """What is installed where this runs: Python, and what has to be the same everywhere."""
    found = {"python": platform.python_version()}
    for name in SAME_EVERYWHERE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def check_versions(address: str, there: Mapping[str, str]) -> None:
    """See that a cluster's workers give the values this machine would.

    Args:
        address: the cluster's.
        there: its `versions()`.

    Raises:
        ConfigurationError: something is of another version there.
    """
    here = versions()
    differing = [name for name in SAME_EVERYWHERE if here[name] != there.get(name)]
    if differing:
        raise ConfigurationError(
            "ray-packages",
            f"{', '.join(differing)} is another version on the Ray cluster than here",
            subject=address,
            where=tuple((n, f"{there.get(n)} there, {here[n]} here") for n in differing),
            unchanged="nothing was read or written",
            hint="install on the cluster: "
            + " ".join(f"{name}=={here[name]}" for name in differing),
        )
