"""Files of embeddings that somebody made: keys and vectors, as Parquet, NPZ or CSV.

Owns the three forms (docs/how-to/search-by-text.md) and their checks. Does not know what the
vectors mean; numpy, which the extra `text` brings, is imported late.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ops.core.records import TaskKey
from ops.errors import InvalidDataError
from ops.given import read_given
from ops.parquet import libraries

if TYPE_CHECKING:
    from ops.embedding import Vector

KEY, VECTOR = "key", "vector"


class Embeddings:
    """A vector a task, to be compared with one more.

    Attributes:
        keys: in the file's order.
        dimensions: of each vector.
    """

    def __init__(self, keys: Sequence[TaskKey], matrix: Any) -> None:  # noqa: ANN401 - numpy's
        """Take keys, and as many rows of as many dimensions: (n, d) numbers."""
        self.keys = keys
        self._matrix = matrix
        self.dimensions = int(matrix.shape[1])

    def vector(self, key: TaskKey) -> "Vector | None":
        """A task's vector, or None."""
        return self._matrix[self.keys.index(key)].tolist() if key in self.keys else None

    def cosines(self, vector: "Vector") -> Mapping[TaskKey, float]:
        """The cosine between each task's vector and this one, -1 to 1; rounded to 6 digits.

        Args:
            vector: of `dimensions` numbers, not all of them zero.
        """
        import numpy as np

        wanted = np.asarray(vector, dtype=np.float64)
        lengths = np.linalg.norm(self._matrix, axis=1) * np.linalg.norm(wanted)
        cosines = (self._matrix @ wanted) / lengths
        # The last digits depend on the machine's arithmetic, and ranks must not.
        return dict(zip(self.keys, cosines.round(6).tolist(), strict=True))


def stacked(vectors: Mapping[TaskKey, "Vector"]) -> Embeddings:
    """Vectors that were made here as one; there is at least one."""
    import numpy as np

    return Embeddings(list(vectors), np.asarray(list(vectors.values()), dtype=np.float64))


def read_embeddings(path: Path) -> Embeddings:
    """The embeddings in a file, checked: every vector of one length, of finite numbers, not zero.

    Args:
        path: Parquet with columns `key` and `vector` (lists of numbers); NPZ with arrays `key`
            (texts) and `vector` (n, d); or CSV with a column `key` and either a column `vector`
            (`[0.1, 0.2]`) or a column a dimension.

    Raises:
        NotFoundError: there is no such file, or it cannot be read.
        InvalidDataError: it is none of these, or its vectors are none.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        _refuse(path, f"{path.suffix or 'no ending'} is none of {', '.join(_READERS)}")
    data = read_given(path, code="no-embedding-file", hint="check the path")
    try:
        keys, matrix = reader(data)
    except _WrongError as error:
        _refuse(path, str(error))
    except Exception as error:  # noqa: BLE001 - numpy, zipfile and pyarrow raise theirs, which share no base
        _refuse(path, f"it is no {path.suffix} file that can be read", error)
    _check(path, keys, matrix)
    return Embeddings([TaskKey(key) for key in keys], matrix)


class _WrongError(Exception):
    """What is wrong with a file, in words."""


def _refuse(path: Path, problem: str, cause: Exception | None = None) -> NoReturn:
    raise InvalidDataError(
        "embedding-file",
        f"{path.name} holds no embeddings: {problem}",
        subject=str(path),
        unchanged="nothing was written",
        hint=f"write it with columns {KEY} and {VECTOR}, a row a task, as Parquet, NPZ or CSV",
    ) from cause


def _check(path: Path, keys: Sequence[str], matrix: Any) -> None:  # noqa: ANN401 - numpy's
    import numpy as np

    if matrix.ndim != 2 or not matrix.shape[1]:  # noqa: PLR2004 - rows and columns
        _refuse(path, "the vectors are not all of one length")
    if len(keys) != matrix.shape[0]:
        _refuse(path, f"{len(keys)} keys and {matrix.shape[0]} vectors")
    if not keys:
        _refuse(path, "there is no row")
    for wrong, problem in (
        (~np.isfinite(matrix).all(axis=1), "is no finite number (NaN or infinite)"),
        (~matrix.any(axis=1), "is zero throughout, which is like nothing"),
    ):
        if wrong.any():
            _refuse(path, f"the vector of {keys[int(wrong.argmax())]!r} {problem}")
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            _refuse(path, f"{key!r} is there twice")
        seen.add(key)


def _parquet(data: bytes) -> tuple[Sequence[str], Any]:
    import numpy as np

    arrow, parquet, _ = libraries()
    table = parquet.read_table(BytesIO(data))
    missing = {KEY, VECTOR} - set(table.column_names)
    if missing:
        raise _WrongError(f"there is no column {', '.join(sorted(missing))}")
    keys, vectors = table.column(KEY), table.column(VECTOR).combine_chunks()
    if not arrow.types.is_string(keys.type) and not arrow.types.is_large_string(keys.type):
        raise _WrongError(f"column {KEY} holds {keys.type}, not texts")
    if vectors.null_count or keys.null_count:
        raise _WrongError("a key or a vector is null")
    lengths = arrow.compute.list_value_length(vectors).unique().to_pylist()
    if len(lengths) > 1:
        raise _WrongError(f"one vector has {lengths[0]} numbers and another {lengths[1]}")
    flat = vectors.flatten().cast(arrow.float64())
    if not lengths:
        return [], np.zeros((0, 1))
    matrix = flat.to_numpy(zero_copy_only=False).reshape(len(vectors), -1)
    return keys.to_pylist(), matrix


def _npz(data: bytes) -> tuple[Sequence[str], Any]:
    import numpy as np

    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        missing = {KEY, VECTOR} - set(arrays.files)
        if missing:
            raise _WrongError(f"there is no array {', '.join(sorted(missing))}")
        keys, matrix = arrays[KEY], arrays[VECTOR]
    if keys.dtype.kind != "U" or keys.ndim != 1:
        raise _WrongError(f"array {KEY} is no list of texts")
    if matrix.dtype.kind not in "fiu":
        raise _WrongError(f"array {VECTOR} holds {matrix.dtype}, not numbers")
    return keys.tolist(), np.asarray(matrix, dtype=np.float64)


def _csv(data: bytes) -> tuple[Sequence[str], Any]:
    import numpy as np

    lines = csv.reader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    head = next(lines, list[str]())
    if head.count(KEY) != 1:
        raise _WrongError(f"there is no column {KEY}")
    place = head.index(KEY)
    read = _list_in(head.index(VECTOR)) if VECTOR in head else _rest_but(place)
    keys: list[str] = []
    rows: list[Sequence[float]] = []
    for line in lines:
        if len(line) != len(head):
            raise _WrongError(f"line {lines.line_num} has {len(line)} of {len(head)} cells")
        keys.append(line[place])
        try:
            rows.append(_numbers(read, line))
        except ValueError as error:
            raise _WrongError(f"line {lines.line_num} has no list of numbers") from error
        if len(rows[-1]) != len(rows[0]):
            raise _WrongError(f"line {lines.line_num} has a vector of another length")
    return keys, np.asarray(rows, dtype=np.float64).reshape(len(rows), -1 if rows else 1)


def _list_in(place: int) -> Callable[[Sequence[str]], object]:
    return lambda line: json.loads(line[place])


def _rest_but(place: int) -> Callable[[Sequence[str]], object]:
    return lambda line: [float(cell) for at, cell in enumerate(line) if at != place]


def _numbers(read: Callable[[Sequence[str]], object], cells: Sequence[str]) -> Sequence[float]:
    """A line's vector.

    Raises:
        ValueError: it is no list of numbers.
    """
    values = read(cells)
    if not isinstance(values, list):
        raise ValueError(cells)  # noqa: TRY004 - one kind of failure to the caller
    known = cast("list[object]", values)
    numbers = [one for one in known if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != len(known):
        raise ValueError(cells)
    return numbers


_READERS: Mapping[str, Callable[[bytes], tuple[Sequence[str], Any]]] = {
    ".parquet": _parquet,
    ".npz": _npz,
    ".csv": _csv,
}
