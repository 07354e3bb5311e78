"""Pictures whose looks are known: different to the eye, or the same at another size."""

import random
from collections.abc import Mapping
from io import BytesIO

from PIL import Image

from ops.core.names import MAIN, media_path
from ops.core.records import TaskKey
from ops.ports import Upload
from tests.runner.world import World


def look(number: int) -> Image.Image:
    """A picture that looks like that of no other number: nine by eight random grays, enlarged."""
    chance = random.Random(number)  # noqa: S311 - a test's
    grays = bytes(chance.randrange(256) for _ in range(72))
    return Image.frombytes("L", (9, 8), grays).resize((180, 120), Image.Resampling.BILINEAR)


def picture(image: Image.Image, *, size: tuple[int, int] = (180, 120), kind: str = "PNG") -> bytes:
    """An image file of that look and size."""
    sink = BytesIO()
    image.resize(size).save(sink, kind)
    return sink.getvalue()


def put(world: World, pictures: Mapping[str, bytes]) -> None:
    """Bring pictures onto main, with nothing said of their bytes."""
    world.lake.create_branch("data", MAIN)
    uploads = [
        Upload(path=media_path(TaskKey(key)), data=data, content_type="image/png")
        for key, data in pictures.items()
    ]
    world.lake.write_many("data", uploads)
    metadata = world.context.metadata("data-add", images=len(uploads))
    world.lake.commit("data", "images", metadata)
    world.lake.merge("data", MAIN, "images", metadata)
    world.lake.delete_branch("data")
