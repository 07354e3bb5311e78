"""Which picture a name means."""

import base64

import pytest

from ops.core.importing.matching import Pictures
from ops.core.importing.neutral import Reference
from ops.core.records import TaskKey

KEYS = [
    "a.jpg", "train/b.jpg", "val/b.jpg", "site/c 1.jpg", "100%25.jpg", "e\u0301te\u0301.jpg",
    "Cat.jpg", "cat.jpg", "x/deep/d.png", "1a2b3c4d-up.jpg",
]  # fmt: skip
PICTURES = Pictures(TaskKey(key) for key in KEYS)
URI = base64.urlsafe_b64encode(b"s3://cats/0123/images/x/deep/d.png").decode().rstrip("=")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("/srv/pi/JPEGImages/a.jpg", "a.jpg"),
        ("C:\\data\\train\\b.jpg", "train/b.jpg"),
        ("images/val/b.jpg", "val/b.jpg"),
        ("other/d.png", "x/deep/d.png"),
        ("s3://cats/0123/images/train/b.jpg", "train/b.jpg"),
        ("gs://bucket/site/c%201.jpg", "site/c 1.jpg"),
        ("https://example.org/site/c%201.jpg?token=1", "site/c 1.jpg"),
        ("/data/local-files/?d=site/c%201.jpg", "site/c 1.jpg"),
        ("/data/upload/3/1a2b3c4d-a.jpg", "a.jpg"),
        ("/data/upload/3/1a2b3c4d-up.jpg", "1a2b3c4d-up.jpg"),
        (f"/tasks/12/resolve/?fileuri={URI}", "x/deep/d.png"),
        ("100%25.jpg", "100%25.jpg"),
        ("\u00e9t\u00e9.jpg", "e\u0301te\u0301.jpg"),
        ("Cat.jpg", "Cat.jpg"),
        ("cat.jpg", "cat.jpg"),
    ],
)
def test_a_name_means_one_picture(name: str, key: str) -> None:
    """By its path, else by what is unlike the others; percent signs as they stand first."""
    assert PICTURES.find(Reference(name=name)).key == key


def test_names_that_mean_none_or_several_are_not_guessed() -> None:
    """Nor is case overlooked: it is named."""
    assert PICTURES.find(Reference(name="b.jpg")).rivals == ("train/b.jpg", "val/b.jpg")
    nothing = PICTURES.find(Reference(name="z.jpg"))
    assert (nothing.key, nothing.rivals, nothing.by_case) == (None, (), ())
    assert PICTURES.find(Reference(name="CAT.jpg")).by_case == ("Cat.jpg", "cat.jpg")
    broken = PICTURES.find(Reference(name="/tasks/1/resolve/?fileuri=%%%"))
    assert broken.key is None


def test_a_stem_means_the_picture_beside() -> None:
    """Whatever its ending; not where two endings are there."""
    assert PICTURES.find(Reference(name="images/train/b", is_stem=True)).key == "train/b.jpg"
    two = Pictures([TaskKey("a.jpg"), TaskKey("a.png")])
    assert two.find(Reference(name="labels/a", is_stem=True)).rivals == ("a.jpg", "a.png")
