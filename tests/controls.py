"""One case for each control a label config may have: its config, a task's data, what is said.

The results are in the form Label Studio's editor writes.
"""

from dataclasses import dataclass
from typing import TypeAlias

from ops.core.records import Json

Region: TypeAlias = dict[str, Json]
Result: TypeAlias = list[Region]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A label config, the data of one task, and two people's results for it."""

    name: str
    label_config: str
    data: dict[str, Json]
    first: Result
    second: Result


def _view(*tags: str) -> str:
    return "\n".join(["<View>", *(f"  {tag}" for tag in tags), "</View>"])


_IMAGE = '<Image name="image" value="$image"/>'
_PICTURE: dict[str, Json] = {"image": "https://pictures.invalid/cat.jpg"}
_LABELS = '<Label value="Cat" background="#ff0000"/><Label value="Dog &amp; fox"/>'
_CHOICES = '<Choice value="Cat"/><Choice value="Dog &amp; fox"/>'


def _said(name: str, kind: str, value: Region, **more: Json) -> Region:
    region: Region = {
        "id": name,
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "value": value,
    }
    return region | {"origin": "manual"} | more


def _shape(name: str, kind: str, value: Region, **more: Json) -> Region:
    size: Region = {"original_width": 640, "original_height": 480, "image_rotation": 0}
    return _said(name, kind, value, **size, **more)


# Answers for a region repeat where it is.
_PLACE: Region = {
    "x": 10.0,
    "y": 33.333333333333336,
    "width": 7.25,
    "height": 1e-07,
    "rotation": 0,
}


def _box(name: str, label: str, **more: Json) -> Region:
    return _shape(name, "rectanglelabels", {**_PLACE, "rectanglelabels": [label]}, **more)


def _polygon(name: str, corners: list[Json]) -> Region:
    return _shape(
        name, "polygonlabels", {"points": corners, "closed": True, "polygonlabels": ["Cat"]}
    )


def _ellipse(name: str, rotation: float) -> Region:
    place: Region = {"x": 50.0, "y": 50.5, "radiusX": 10.125, "radiusY": 5, "rotation": rotation}
    return _shape(name, "ellipselabels", {**place, "ellipselabels": ["Dog & fox"]})


def _brush(name: str, start: int) -> Region:
    """A square of 40 pixels, `start` pixels from the top."""
    row = [(0, 300), (255, 40), (0, 300)]
    runs = [(0, start * 640), *row * 40, (0, (440 - start) * 640)]
    lengths: list[Json] = [*_run_lengths(runs)]
    return _shape(name, "brushlabels", {"format": "rle", "rle": lengths, "brushlabels": ["Cat"]})


def _run_lengths(runs: list[tuple[int, int]]) -> bytes:
    """A mask in the form brushes are stored in: runs of pixels, each of four equal bytes.

    A head (size, word and length widths), then for each run a bit that it is one, the width of its
    length (the fourth: 16 bits), its length less one and its byte.
    """
    size = 4 * sum(count for _, count in runs)
    bits = f"{size:032b}{8 - 1:05b}{3 - 1:04b}{4 - 1:04b}{8 - 1:04b}{16 - 1:04b}"
    for byte, count in runs:
        for done in range(0, 4 * count, 2**16):
            length = min(4 * count - done, 2**16)
            bits += f"1{3:02b}{length - 1:016b}{byte:08b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


def _video_box(name: str, label: str) -> Region:
    place: Region = {"x": 5.5, "y": 6, "width": 10, "height": 11.25, "rotation": 0}
    sequence: list[Json] = [
        {"frame": frame, "enabled": frame < 40, "time": frame / 25, **place} for frame in (1, 40)
    ]
    value: Region = {"framesCount": 100, "duration": 4.0, "sequence": sequence, "labels": [label]}
    return _said(name, "videorectangle", value, from_name="box", to_name="video")


def _timeline(name: str, start: int) -> Region:
    value: Region = {"ranges": [{"start": start, "end": 20}], "timelinelabels": ["Run"]}
    return _said(name, "timelinelabels", value, from_name="line", to_name="video")


def _span(name: str, start: int, end: int, label: str) -> Region:
    value: Region = {"start": start, "end": end, "text": "Ada Lovelace", "labels": [label]}
    return _said(name, "labels", value, to_name="text")


def _sound(name: str, start: float) -> Region:
    value: Region = {"start": start, "end": start + 1.5, "channel": 0, "labels": ["Speech"]}
    return _said(name, "labels", value, to_name="audio", original_length=12.75)


CASES = (
    Case(
        name="choices-single",
        label_config=_view(
            _IMAGE, f'<Choices name="label" toName="image" choice="single">{_CHOICES}</Choices>'
        ),
        data=_PICTURE,
        first=[_said("c1", "choices", {"choices": ["Cat"]})],
        second=[_said("c2", "choices", {"choices": ["Dog & fox"]})],
    ),
    Case(
        name="choices-multiple",
        label_config=_view(
            _IMAGE, f'<Choices name="label" toName="image" choice="multiple">{_CHOICES}</Choices>'
        ),
        data=_PICTURE,
        first=[_said("c1", "choices", {"choices": ["Dog & fox", "Cat"]})],
        second=[_said("c2", "choices", {"choices": ["Cat"]})],
    ),
    Case(
        name="rectangle",
        label_config=_view(
            _IMAGE, f'<RectangleLabels name="label" toName="image">{_LABELS}</RectangleLabels>'
        ),
        data=_PICTURE,
        first=[_box("b2", "Cat"), _box("b1", "Dog & fox", score=0.5, meta={"text": ["dim"]})],
        second=[_box("b3", "Cat", origin="prediction-changed")],
    ),
    Case(
        name="rectangle-and-labels",
        label_config=_view(
            _IMAGE,
            '<Rectangle name="shape" toName="image"/>',
            f'<Labels name="label" toName="image">{_LABELS}</Labels>',
        ),
        data=_PICTURE,
        first=[
            _shape(
                "s1",
                "rectangle",
                {"x": 1, "y": 2.5, "width": 3, "height": 4, "rotation": 12.5},
                from_name="shape",
            ),
            _shape(
                "s1",
                "labels",
                {"x": 1, "y": 2.5, "width": 3, "height": 4, "rotation": 12.5, "labels": ["Cat"]},
            ),
        ],
        second=[],
    ),
    Case(
        name="polygon",
        label_config=_view(
            _IMAGE, f'<PolygonLabels name="label" toName="image">{_LABELS}</PolygonLabels>'
        ),
        data=_PICTURE,
        first=[_polygon("p1", [[10.0, 20.5], [30.25, 20.5], [20, 40.000000000000014]])],
        second=[_polygon("p2", [[1, 2], [3, 4], [5, 6], [7, 8.125]])],
    ),
    Case(
        name="keypoint",
        label_config=_view(
            _IMAGE, f'<KeyPointLabels name="label" toName="image">{_LABELS}</KeyPointLabels>'
        ),
        data=_PICTURE,
        first=[
            _shape(
                "k1",
                "keypointlabels",
                {"x": 50.0, "y": 25.2, "width": 0.46875, "keypointlabels": ["Cat"]},
            )
        ],
        second=[
            _shape(
                "k2",
                "keypointlabels",
                {"x": 0, "y": 100, "width": 0.5, "keypointlabels": ["Dog & fox"]},
            )
        ],
    ),
    Case(
        name="ellipse",
        label_config=_view(
            _IMAGE, f'<EllipseLabels name="label" toName="image">{_LABELS}</EllipseLabels>'
        ),
        data=_PICTURE,
        first=[_ellipse("e1", 0)],
        second=[_ellipse("e1", 359.5), _ellipse("e2", 45)],
    ),
    Case(
        name="brush",
        label_config=_view(
            _IMAGE, f'<BrushLabels name="label" toName="image">{_LABELS}</BrushLabels>'
        ),
        data=_PICTURE,
        first=[_brush("m1", 0), _brush("m2", 70)],
        second=[_brush("m1", 1)],
    ),
    Case(
        name="taxonomy",
        label_config=_view(
            _IMAGE,
            '<Taxonomy name="label" toName="image">',
            '<Choice value="Animal">',
            '<Choice value="Cat"/><Choice value="Dog" alias="dog"/>',
            "</Choice>",
            '<Choice value="Plant"/>',
            "</Taxonomy>",
        ),
        data=_PICTURE,
        first=[_said("t1", "taxonomy", {"taxonomy": [["Animal", "Cat"], ["Plant"]]})],
        second=[_said("t2", "taxonomy", {"taxonomy": [["Animal", "dog"]]})],
    ),
    Case(
        name="textarea",
        label_config=_view(_IMAGE, '<TextArea name="label" toName="image" maxSubmissions="3"/>'),
        data=_PICTURE,
        first=[_said("t1", "textarea", {"text": ['zwei Zeilen\nmit “ß” \\ und "" 😀', " ", ""]})],
        second=[_said("t2", "textarea", {"text": ["</script>\u2028\ufeff"]})],
    ),
    Case(
        name="rating",
        label_config=_view(_IMAGE, '<Rating name="label" toName="image" maxRating="10"/>'),
        data=_PICTURE,
        first=[_said("r1", "rating", {"rating": 4})],
        second=[_said("r2", "rating", {"rating": 10})],
    ),
    Case(
        name="number",
        label_config=_view(_IMAGE, '<Number name="label" toName="image" min="-5" max="1e22"/>'),
        data=_PICTURE,
        first=[_said("n1", "number", {"number": -0.1})],
        second=[_said("n2", "number", {"number": 9007199254740993})],
    ),
    Case(
        name="datetime",
        label_config=_view(
            _IMAGE, '<DateTime name="label" toName="image" only="date,time" format="%d.%m.%Y"/>'
        ),
        data=_PICTURE,
        first=[_said("d1", "datetime", {"datetime": "21.11.2026 14:02"})],
        second=[_said("d2", "datetime", {"datetime": "01.01.1970 00:00"})],
    ),
    Case(
        name="pairwise",
        label_config=_view(
            '<Image name="left" value="$image"/>',
            '<Image name="right" value="$other"/>',
            '<Pairwise name="label" toName="left,right"/>',
        ),
        data={**_PICTURE, "other": "https://pictures.invalid/dog.jpg"},
        first=[_said("p1", "pairwise", {"selected": "left"}, to_name="left")],
        second=[_said("p2", "pairwise", {"selected": "right"}, to_name="left")],
    ),
    Case(
        name="per-region",
        label_config=_view(
            _IMAGE,
            f'<RectangleLabels name="label" toName="image">{_LABELS}</RectangleLabels>',
            f'<Choices name="kind" toName="image" perRegion="true">{_CHOICES}</Choices>',
            '<TextArea name="note" toName="image" perRegion="true"/>',
            '<Rating name="sure" toName="image" perRegion="true"/>',
        ),
        data=_PICTURE,
        first=[
            _box("b1", "Cat"),
            _shape("b1", "choices", {**_PLACE, "choices": ["Cat"]}, from_name="kind"),
            _shape("b1", "textarea", {**_PLACE, "text": ["left ear"]}, from_name="note"),
            _shape("b1", "rating", {**_PLACE, "rating": 2}, from_name="sure"),
            _box("b0", "Cat"),
        ],
        second=[
            _box("b1", "Cat"),
            _shape("b1", "choices", {**_PLACE, "choices": ["Cat"]}, from_name="kind"),
        ],
    ),
    Case(
        name="relations",
        label_config=_view(
            _IMAGE,
            '<Relations><Relation value="sits on"/><Relation value="eats"/></Relations>',
            f'<RectangleLabels name="label" toName="image">{_LABELS}</RectangleLabels>',
        ),
        data=_PICTURE,
        first=[
            {
                "type": "relation",
                "from_id": "b1",
                "to_id": "b2",
                "direction": "right",
                "labels": ["sits on", "eats"],
            },
            _box("b2", "Cat"),
            _box("b1", "Dog & fox"),
            {"type": "relation", "from_id": "b1", "to_id": "b0", "direction": "bi"},
            _box("b0", "Cat", parentID="b1"),
        ],
        second=[_box("b1", "Cat")],
    ),
    Case(
        name="text",
        label_config=_view(
            '<Text name="text" value="$text"/>',
            '<Labels name="label" toName="text"><Label value="PER"/><Label value="ORG"/></Labels>',
        ),
        data={"text": "Ada Lovelace wrote it."},
        first=[_span("s1", 0, 12, "PER"), _span("s2", 13, 18, "ORG")],
        second=[_span("s1", 0, 3, "PER")],
    ),
    Case(
        name="audio",
        label_config=_view(
            '<Audio name="audio" value="$audio"/>',
            '<Labels name="label" toName="audio"><Label value="Speech"/></Labels>',
        ),
        data={"audio": "https://sounds.invalid/one.wav"},
        first=[_sound("a1", 0.5), _sound("a2", 3.0000001)],
        second=[_sound("a1", 0)],
    ),
    Case(
        name="video",
        label_config=_view(
            '<Video name="video" value="$video"/>',
            '<VideoRectangle name="box" toName="video"/>',
            '<Labels name="labels" toName="video"><Label value="Car"/></Labels>',
            '<TimelineLabels name="line" toName="video"><Label value="Run"/></TimelineLabels>',
        ),
        data={"video": "https://films.invalid/one.mp4"},
        first=[_video_box("v1", "Car"), _timeline("l1", 1)],
        second=[_timeline("l1", 2)],
    ),
)
