"""Small pictures that differ from one another, for tests."""

from pathlib import Path

from PIL import Image, ImageDraw


def draw_pictures(directory: Path, count: int, *, start: int = 0) -> list[Path]:
    """Write `count` PNG files `p000.png`, `p001.png` … of 160 x 120 pixels and give their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for number in range(start, start + count):
        picture = Image.new("RGB", (160, 120), (number * 7 % 256, number * 13 % 256, 90))
        ImageDraw.Draw(picture).ellipse((20, 20, 20 + number % 100, 80), fill=(250, 240, 60))
        path = directory / f"p{number:03}.png"
        picture.save(path)
        paths.append(path)
    return paths
