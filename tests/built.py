"""Programs that are built from the project's pinned Go recipes, for tests that need the real thing.

Owns where a built program is kept between runs: in the person's cache directory, by a digest of its
recipe. Does not build lakeFS (ops/local does, for everybody).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.wanted import missing

_TOOLS = Path(__file__).parents[1] / "tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a program is built.

    Attributes:
        folder: below tools/, with go.mod and go.sum.
        package: the Go package of its main.
        version: what the program is to say of itself.
        variable: the Go variable that holds the version; none for a program that needs none.
    """

    folder: str
    package: str
    version: str
    variable: str = ""


_KUBERNETES = "v1.36.3"


def _kubernetes(program: str) -> Recipe:
    return Recipe(
        folder="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{program}",
        version=_KUBERNETES,
        variable="k8s.io/component-base/version.gitVersion",
    )


RECIPES: Mapping[str, Recipe] = {
    "pulumi": Recipe(
        folder="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        version="v3.256.0",
        variable="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
    ),
    "kube-apiserver": _kubernetes("kube-apiserver"),
    "kube-controller-manager": _kubernetes("kube-controller-manager"),
    "kube-scheduler": _kubernetes("kube-scheduler"),
    "kubectl": _kubernetes("kubectl"),
    "compose-spec": Recipe(
        folder="compose", package="github.com/compose-spec/compose-go/v2/cmd", version="v2.16.2"
    ),
    "kwok": Recipe(folder="kwok", package="sigs.k8s.io/kwok/cmd/kwok", version="v0.8.0"),
}


def built(name: str) -> Path:
    """A program of `RECIPES`, built unless it was before. Minutes the first time, then nothing.

    Skips where Go is not to be had, and fails there under CI.
    """
    recipe = RECIPES[name]
    kept = _cache() / f"{name}-{recipe.version}-{_digest(recipe)}" / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _build(recipe, kept)
    return kept


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "labeling-ops"


def _digest(recipe: Recipe) -> str:
    parts = [(_TOOLS / recipe.folder / name).read_bytes() for name in ("go.mod", "go.sum")]
    said = f"{recipe}".encode()
    return hashlib.sha256(b"\0".join([*parts, said])).hexdigest()[:12]


def _build(recipe: Recipe, target: Path) -> None:
    go = shutil.which("go")
    if go is None:
        missing(f"NO GO: {recipe.package} cannot be built; install Go 1.26")
    version = f" -X {recipe.variable}={recipe.version}" if recipe.variable else ""
    unfinished = target.with_name(f"{target.name}.new")
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w{version}"]
    subprocess.run(
        [*command, "-o", unfinished, recipe.package],
        cwd=_TOOLS / recipe.folder,
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    unfinished.replace(target)
