"""Prints what Ray's pods install: what works on pictures' bytes, as uv.lock has it, with digests.

`python -m tools.ray_requirements > k8s/components/ray/requirements.txt`; a test holds them equal.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
ROOTS = ("daft", "pillow", "imagehash")
_IMAGE = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}
_WHEELS = ("cp311-cp311", "abi3", "py3-none", "py2.py3-none")


def text() -> str:
    """The file."""
    lock: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    packages: dict[str, list[dict[str, Any]]] = {}
    for each in lock["package"]:
        packages.setdefault(each["name"], []).append(each)
    lines = ["# Made of uv.lock by tools/ray_requirements.py; Ray itself is the image's."]
    for name, package in sorted(_closure(packages).items()):
        digests = [wheel["hash"] for wheel in package["wheels"] if _fits(wheel["url"])]
        lines.append(f"{name}=={package['version']} \\")
        lines.append(" \\\n".join(f"    --hash={digest}" for digest in sorted(digests)))
    return "\n".join(lines) + "\n"


def _closure(packages: Mapping[str, list[dict[str, Any]]]) -> Mapping[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    todo = [*ROOTS]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = _chosen(packages[name])
            todo += _needed(found[name])
    return found


def _chosen(candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """The one of several versions of a package that is for the image's Python.

    Raises:
        LookupError: none is.
    """
    for each in candidates:
        markers = each.get("resolution-markers", [])
        if not markers or any(Marker(one).evaluate(_IMAGE) for one in markers):
            return each
    raise LookupError(candidates[0]["name"])


def _needed(package: Mapping[str, Any]) -> Iterator[str]:
    for each in package.get("dependencies", []):
        marker = each.get("marker")
        if marker is None or Marker(marker).evaluate(_IMAGE):
            yield each["name"]


def _fits(url: str) -> bool:
    wheel = url.rpartition("/")[2]
    is_for_image = any(tag in wheel for tag in _WHEELS)
    is_any = wheel.endswith("-any.whl")
    return is_for_image and (is_any or ("manylinux" in wheel and "x86_64" in wheel))


if __name__ == "__main__":
    sys.stdout.write(text())
