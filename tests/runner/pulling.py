"""A version to pull, a directory to pull into, and a count of what is read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ops.core.names import media_path
from ops.core.pulls import Choice
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import OpsError
from ops.ports import Upload
from ops.runner.finish import finish_round
from ops.runner.pull import Order, Pulled, pull
from ops.runner.start import start_round
from tests.fakes.gateway import FakeGateway
from tests.runner.world import World

ALL = Order(choice=Choice())


class Desk:
    """A world with one version, a cache, a directory to pull into, and a count of what is read."""

    def __init__(self, home: Path) -> None:
        """Label two of six pictures, one of them empty, and finish the round."""
        self.world = World()
        self.home = home
        self.out = home / "out"
        self.read: list[str] = []
        self.fail: Callable[[str], None] = lambda _: None
        self.context = replace(
            self.world.context,
            open_gateway=lambda: FakeGateway(self.world.lake, self._reading),
            cache_dir=home / "cache",
        )
        start_round(self.context, "cheese", Selection(limit=3))
        self.world.label("p000.png", "brie")
        self.world.label("p001.png")
        self.world.label("p002.png", skipped=True)
        finish_round(self.context, "cheese")

    def _reading(self, path: str) -> None:
        self.read.append(path)
        self.fail(path)

    def pull(self, order: Order = ALL, *, ref: str = "main", out: Path | None = None) -> Pulled:
        """Pull, and count from zero."""
        self.read.clear()
        return pull(self.context, ref, out=out or self.out, order=order)

    def on_main(self, *uploads: Upload, removed: tuple[str, ...] = ()) -> None:
        """Change main, as a merge does."""
        lake = self.world.lake
        lake.create_branch("data", "main")
        lake.write_many("data", uploads)
        lake.delete_many("data", removed)
        lake.commit("data", "pictures", {})
        lake.merge("data", "main", "pictures", self.world.context.metadata("data-add"))
        lake.delete_branch("data")

    def images(self, out: Path | None = None) -> dict[str, bytes]:
        """The pictures in the directory."""
        root = (out or self.out) / "images"
        paths = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def picture(key: str, data: bytes) -> Upload:
    """A picture of these bytes, of which lakeFS knows the md5."""
    return Upload(path=media_path(TaskKey(key)), data=data)


ALL_IMAGES = {f"p{number:03}.png": f"picture p{number:03}.png".encode() for number in range(6)}


def failing(code: str, kind: type[OpsError], *paths: str) -> Callable[[str], None]:
    """A gateway that fails for these paths."""

    def fail(path: str) -> None:
        if path in paths:
            raise kind(code, f"{path} {code}", subject=path, unchanged="nothing", hint="look")

    return fail
