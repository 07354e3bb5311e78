"""A picture's profile: documented values for every kind of file, and for no kind a crash."""

import hashlib
import json
import pickle
import random
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.core.records import Json
from ops.profiling import MOST_PIXELS, profile
from tests.photos import TURNED, coffee, file_of, png_claiming, turned

UPRIGHT = "f3e96933160b1b36"
"""The cup's difference hash, as imagehash gives it."""

NOTHING = {"width": None, "height": None, "orientation": None, "format": None, "mode": None}


def facts(data: bytes, *names: str) -> tuple[Json, ...]:
    """Some fields of a profile, and that nothing is wrong."""
    found = profile(data)
    assert found["problem"] is None
    return tuple(found[name] for name in names)


def test_a_photograph() -> None:
    """Every field."""
    data = file_of(coffee())
    assert profile(data) == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "width": 320,
        "height": 240,
        "orientation": 1,
        "format": "JPEG",
        "mode": "RGB",
        "dhash": UPRIGHT,
        "problem": None,
    }


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_turns_the_hash_and_not_the_size(orientation: int) -> None:
    """As stored, and as people see it."""
    size = (240, 320) if orientation >= 5 else (320, 240)
    data = turned(coffee(), orientation)
    assert facts(data, "width", "height", "orientation", "dhash") == (*size, orientation, UPRIGHT)


@pytest.mark.parametrize("orientation", TURNED)
def test_a_tiff_is_turned_by_its_decoder(orientation: int) -> None:
    """Its size is the upright one, and it is not turned twice."""
    data = turned(coffee(), orientation, "TIFF")
    assert facts(data, "width", "height", "orientation", "dhash") == (320, 240, 1, UPRIGHT)


@pytest.mark.parametrize("orientation", [0, 9, 99])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    assert facts(turned(coffee(), orientation), "orientation", "dhash") == (1, UPRIGHT)


def test_exif_that_is_damaged_turns_nothing() -> None:
    data = file_of(coffee(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert facts(data, "orientation", "dhash") == (1, UPRIGHT)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "CMYK"), ("PNG", "L"), ("PNG", "P"), ("GIF", "P"), ("TIFF", "YCbCr"), ("PNG", "LA")],
)
def test_other_modes_look_the_same(kind: str, mode: str) -> None:
    data = file_of(coffee().convert(mode), kind)
    assert facts(data, "format", "mode", "dhash") == (kind, mode, UPRIGHT)


@pytest.mark.parametrize("kind", ["float32", "uint16", "int32"])
def test_wide_pixels_are_seen_by_their_range(kind: str) -> None:
    """Pillow's own conversion makes everything above 255 white."""
    gray = np.asarray(coffee().convert("L")).astype(kind) * 200
    assert facts(file_of(Image.fromarray(gray), "TIFF"), "dhash") == (UPRIGHT,)


def test_pixels_that_are_no_numbers_are_as_dark_as_can_be() -> None:
    gray = np.asarray(coffee().convert("L")).astype("float32")
    gray[0, 0], gray[5, 5] = np.nan, np.inf
    assert facts(file_of(Image.fromarray(gray), "TIFF"), "dhash") == (UPRIGHT,)
    gray[:] = np.nan
    assert facts(file_of(Image.fromarray(gray), "TIFF"), "dhash") == ("0" * 16,)


def test_an_animation_is_its_first_frame() -> None:
    data = file_of(coffee(), "GIF", save_all=True, append_images=[coffee().rotate(180)])
    assert facts(data, "format", "width", "height", "dhash") == ("GIF", 320, 240, UPRIGHT)


def test_what_can_be_seen_through_lies_on_white() -> None:
    """A palette with an alpha for each colour, too, of which Pillow warns."""
    clear = coffee().convert("RGBA")
    clear.putalpha(0)
    assert facts(file_of(clear, "PNG"), "dhash") == ("0" * 16,)
    palette = file_of(coffee().convert("P"), "PNG", transparency=bytes(256))
    assert facts(palette, "mode", "dhash") == ("P", "0" * 16)


def test_a_resized_copy_is_near_and_another_photograph_is_not() -> None:
    """So far apart that a threshold lies between."""
    small = int(str(profile(file_of(coffee().resize((160, 120))))["dhash"]), 16)
    other = int(str(profile(file_of(coffee().rotate(90)))["dhash"]), 16)
    upright = int(UPRIGHT, 16)
    assert (small ^ upright).bit_count() <= 2
    assert (other ^ upright).bit_count() > 15


def test_no_bytes() -> None:
    found = profile(b"")
    assert (found["problem"], found["size_bytes"]) == ("empty", 0)
    assert found["sha256"] == hashlib.sha256(b"").hexdigest()
    assert found.items() >= NOTHING.items()


@pytest.mark.parametrize("data", [b"buy cheese", b"<svg/>", b"\0" * 100, file_of(coffee(), "EPS")])
def test_what_is_no_image(data: bytes) -> None:
    """EPS is given to no other program to find out."""
    found = profile(data)
    assert found["problem"] == "no-image"
    assert found.items() >= {**NOTHING, "dhash": None}.items()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_what_is_cut_off(kind: str) -> None:
    """Digest and size are of what is there."""
    data = file_of(coffee(), kind)
    for length in (16, len(data) // 2):
        found = profile(data[:length])
        assert (found["problem"], found["size_bytes"]) == ("damaged", length)
        assert (found["orientation"], found["dhash"]) == (None, None)


def test_a_header_without_a_picture_says_what_it_says() -> None:
    found = profile(file_of(coffee())[:5000])
    assert (found["problem"], found["width"], found["mode"]) == ("damaged", 320, "RGB")


def test_a_decompression_bomb_is_not_decoded() -> None:
    """Seventy bytes that would be four gigabytes; one pixel row less than the limit is tried."""
    assert profile(png_claiming(65_000, 65_000))["problem"] == "too-large"
    assert profile(png_claiming(10_000, MOST_PIXELS // 10_000 + 1))["problem"] == "too-large"
    assert profile(png_claiming(10_000, 9_000))["problem"] == "damaged"


def test_any_damage_has_a_profile_and_no_warning_escapes() -> None:
    """Fifteen hundred files with bytes changed anywhere, the same ones each time."""
    chance = random.Random(6)  # noqa: S311 - not for secrets
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "ICO", "PPM")
    files = [file_of(coffee().resize((96, 96)), kind) for kind in kinds]
    files.append(file_of(coffee().convert("P").resize((96, 96)), "PNG", transparency=bytes(256)))
    problems: set[Json] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(1_500):
            data = bytearray(chance.choice(files))
            for _ in range(chance.randint(1, 20)):
                end = len(data) if chance.random() < 0.5 else 100
                data[chance.randrange(end)] = chance.randrange(256)
            found = profile(bytes(data))
            assert found["sha256"] == hashlib.sha256(data).hexdigest()
            problems.add(found["problem"])
    assert problems >= {None, "damaged", "no-image"}


def test_threads_leave_the_warnings_as_they_were() -> None:
    """However they overlap; a warning that is nobody's business here is still given."""
    before = warnings.filters[:]
    files = [png_claiming(10_000, 9_000), file_of(coffee()), b"x", b""]
    alone = [profile(data) for data in files]
    with ThreadPoolExecutor(8) as crew:
        assert [*crew.map(profile, files * 50)] == alone * 50
    assert warnings.filters[:] == before


def test_it_can_be_sent_to_other_machines() -> None:
    """By its name alone."""
    sent = pickle.dumps(profile)
    assert pickle.loads(sent) is profile  # noqa: S301 - ours
    assert len(sent) < 100


def test_without_the_extra_there_is_no_hash_and_all_else(tmp_path: Path) -> None:
    """As in a process that has no imagehash."""
    picture = tmp_path / "coffee.jpg"
    picture.write_bytes(file_of(coffee()))
    code = (
        "import sys, json; sys.modules['imagehash'] = None\n"
        "from ops.profiling import can_hash, profile\n"
        "print(json.dumps([can_hash(), profile(open(sys.argv[1], 'rb').read())]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, picture], capture_output=True, text=True, check=True
    )
    can, found = json.loads(done.stdout)
    assert can is False
    assert found == {**profile(picture.read_bytes()), "dhash": None}
