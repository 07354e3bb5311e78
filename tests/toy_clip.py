"""A CLIP model of a few bytes that knows colours: real ONNX, read by the real fastembed.

Its text half gives the mean of its words' vectors, its image half the mean colour of the picture's
upper half through the same three axes: a picture red above is what looks most like "red". The files
are written byte by byte, for the library that writes such files is not needed for anything else.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

DIMENSIONS = 8
WORDS: Mapping[str, tuple[float, float, float]] = {
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "white": (1, 1, 1),
    "black": (-1, -1, -1),
}
_FLOAT, _INT64 = 1, 7
_SIDE = 8


def write_toy_clip(directory: Path, *, dimensions: int = DIMENSIONS) -> Path:
    """Write both halves below a directory and give it back."""
    axes = [[float(axis == place) for place in range(dimensions)] for axis in range(3)]
    vocabulary = ["[PAD]", "[UNK]", *WORDS]
    rows = [[0.0] * dimensions] * 2 + [
        [*map(float, c)] + [0.0] * (dimensions - 3) for c in WORDS.values()
    ]
    _write_text_half(directory / "text", vocabulary, rows)
    _write_image_half(directory / "vision", axes)
    return directory


def _write_text_half(
    where: Path, vocabulary: Sequence[str], rows: Sequence[Sequence[float]]
) -> None:
    where.mkdir(parents=True)
    ids = {word: number for number, word in enumerate(vocabulary)}
    special = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": ids[word], "content": word, **special} for word in vocabulary[:2]],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": ids, "unk_token": "[UNK]"},
    }  # fmt: skip
    (where / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = {"model_max_length": 77, "pad_token": "[PAD]"}
    (where / "tokenizer_config.json").write_text(json.dumps(config))
    nodes = [
        _node("Gather", ["words", "input_ids"], "vectors"),
        _node("ReduceMean", ["vectors"], "text_embeds", axes=[1], keepdims=0),
    ]
    inputs = [_value("input_ids", _INT64, ["batch", "length"])]
    outputs = [_value("text_embeds", _FLOAT, ["batch", len(rows[0])])]
    (where / "model.onnx").write_bytes(_model(nodes, [_tensor("words", rows)], inputs, outputs))


def _write_image_half(where: Path, axes: Sequence[Sequence[float]]) -> None:
    where.mkdir(parents=True)
    config = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True, "size": {"shortest_edge": _SIDE}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": _SIDE, "width": _SIDE},
        "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    }  # fmt: skip
    (where / "preprocessor_config.json").write_text(json.dumps(config))
    nodes = [
        _node("ReduceMean", ["pixel_values"], "rows", axes=[3], keepdims=0),
        _node("MatMul", ["rows", "upper"], "colors"),
        _node("ReduceMean", ["colors"], "color", axes=[2], keepdims=0),
        _node("MatMul", ["color", "axes"], "image_embeds"),
    ]
    upper = [[2 / _SIDE if row < _SIDE // 2 else 0.0] for row in range(_SIDE)]
    tensors = [_tensor("axes", axes), _tensor("upper", upper)]
    inputs = [_value("pixel_values", _FLOAT, ["batch", 3, _SIDE, _SIDE])]
    outputs = [_value("image_embeds", _FLOAT, ["batch", len(axes[0])])]
    (where / "model.onnx").write_bytes(_model(nodes, tensors, inputs, outputs))


# Protocol buffers, as onnx.proto numbers its fields.


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _node(
    kind: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]
) -> bytes:
    parts = [_field(1, name) for name in inputs]
    parts += [_field(2, output), _field(3, output), _field(4, kind)]
    for name, value in attributes.items():
        one = (
            (_field(3, value) + _field(20, 2))
            if isinstance(value, int)
            else b"".join([*(_field(8, part) for part in value), _field(20, 7)])
        )
        parts.append(_field(5, _field(1, name) + one))
    return b"".join(parts)


def _tensor(name: str, rows: Sequence[Sequence[float]]) -> bytes:
    values = [value for row in rows for value in row]
    parts = [_field(1, len(rows)), _field(1, len(rows[0])), _field(2, _FLOAT), _field(8, name)]
    return b"".join([*parts, _field(9, struct.pack(f"<{len(values)}f", *values))])


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_field(1, _field(1 if isinstance(one, int) else 2, one)) for one in shape)
    tensor = _field(1, kind) + _field(2, sizes)
    return _field(1, name) + _field(2, _field(1, tensor))


def _model(
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> bytes:
    graph = [*(_field(1, node) for node in nodes), _field(2, "toy")]
    graph += [_field(5, tensor) for tensor in tensors]
    graph += [_field(11, one) for one in inputs] + [_field(12, one) for one in outputs]
    return _field(1, 8) + _field(7, b"".join(graph)) + _field(8, _field(1, "") + _field(2, 13))
