"""What an annotator sees: a task of an open round in Label Studio, its picture on the screen."""

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ops.local import Connection
from ops.studio import LabelStudio
from tests.chromium import Page, open_page
from tests.command import Ops

pytestmark = [pytest.mark.servers, pytest.mark.browser]

WIDTH, HEIGHT = 640, 480
MAGENTA, GREEN = (230, 10, 200), (10, 190, 70)
"""Nothing on Label Studio's own pages has these colours."""
SHARE = 0.1
"""Of the screen, for each half: a thumbnail in the list is far below it."""


@pytest.fixture
def page() -> Iterator[Page]:
    """An empty page of a browser nobody is logged in to."""
    with open_page() as page:
        yield page


def draw(path: Path) -> None:
    """A picture whose left half is magenta and whose right half is green."""
    path.parent.mkdir(exist_ok=True)
    picture = Image.new("RGB", (WIDTH, HEIGHT), MAGENTA)
    ImageDraw.Draw(picture).rectangle((WIDTH // 2, 0, WIDTH, HEIGHT), fill=GREEN)
    picture.save(path)


def log_in(page: Page, servers: Connection) -> None:
    """Fill in Label Studio's own form and wait to be let in."""
    page.open(f"{servers.label_studio_url}/user/login/", {})
    page.wait_for("!!document.querySelector('form input[name=password]')")
    for name, value in (
        ("email", servers.label_studio_email),
        ("password", servers.label_studio_password),
    ):
        page.evaluate(
            f"document.querySelector('form input[name={name}]').value = {json.dumps(value)}"
        )
    page.evaluate("document.querySelector('form').submit()")
    page.wait_for(
        "!location.pathname.startsWith('/user/login') && document.readyState != 'loading'"
    )


def share_of(screen: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float]:
    """How much of the screen is of about a colour, 0 to 1, and how far to the right on average."""
    small = screen.reduce(4)
    columns = [
        index % small.width
        for index, pixel in enumerate(small.get_flattened_data())
        if isinstance(pixel, tuple)
        and all(abs(one - other) < 12 for one, other in zip(pixel, colour, strict=True))
    ]
    return len(columns) / (small.width * small.height), sum(columns) / max(1, len(columns))


def look(page: Page, screenshot: Path) -> Image.Image:
    """The screen when the picture is on it, or after a while; kept as a file.

    The editor lays a veil over the loaded picture while it sets itself up.
    """
    deadline = time.monotonic() + 60
    while True:
        data = page.screenshot()
        screenshot.write_bytes(data)
        screen = Image.open(BytesIO(data)).convert("RGB")
        if share_of(screen, MAGENTA)[0] > SHARE or time.monotonic() > deadline:
            return screen
        time.sleep(0.5)


def test_a_task_opens_with_its_picture(servers: Connection, page: Page, tmp_path: Path) -> None:
    ops = Ops(tmp_path, servers)
    draw(tmp_path / "pictures" / "halves.png")
    ops.run("init", "--labels", "brie,gouda", "--kind", "boxes")
    ops.run("data", "add", "pictures")
    project = ops.run("round", "start", "seen").data["project"]
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    [task] = studio.task_rows(project)
    studio.close()

    log_in(page, servers)
    page.open(f"{servers.label_studio_url}/projects/{project}/data?task={task.id}", {})
    screenshot = tmp_path / "screenshot.png"
    print(f"screenshot: {screenshot}")  # noqa: T201 - pytest shows it where the test fails
    try:
        page.wait_for(
            "[...document.images].some(one => one.complete"
            f" && one.naturalWidth === {WIDTH} && one.naturalHeight === {HEIGHT}"
            " && one.getBoundingClientRect().width > 200)"
        )
    finally:
        screenshot.write_bytes(page.screenshot())
    screen = look(page, screenshot)
    (magenta, left), (green, right) = share_of(screen, MAGENTA), share_of(screen, GREEN)
    assert magenta > SHARE
    # The editor may still be fitting the picture in: its right edge is cut off then.
    assert green == pytest.approx(magenta, rel=0.3)
    assert left < right
    assert "brie" in page.evaluate("document.body.innerText")
