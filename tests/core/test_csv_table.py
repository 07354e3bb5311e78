"""CSV read strictly: what it is not sure of, it asks."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.csv_table import Kind, as_mapping, check_names, read_csv, typed
from ops.errors import InvalidDataError, OpsError, UsageError

CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;\t|"))
def test_what_was_written_is_read(rows: list[tuple[str, str]], delimiter: str) -> None:
    """Commas, quotes and line ends within cells, too."""
    sink = StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("key", "said"), *rows])
    for encoding in ("utf-8", "utf-8-sig"):
        table = read_csv(sink.getvalue().encode(encoding), "t.csv", delimiter=delimiter)
        assert table.names == ("key", "said")
        assert [tuple(row) for row in table.rows] == rows


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "latin-1", "utf-32"])
def test_other_encodings_are_read_where_somebody_says_so(encoding: str) -> None:
    data = "key,said\na.jpg,é\n".encode(encoding)
    table = read_csv(data, "t.csv", encoding=encoding)
    assert as_mapping(table) == {"key": ["a.jpg"], "said": ["é"]}


@pytest.mark.parametrize(
    ("data", "code", "part", "hint"),
    [
        (b"", "csv-invalid", "is empty", "a row an image"),
        (b"\xef\xbb\xbf\n \n", "csv-invalid", "is empty", "a row an image"),
        (b"key,a\n", "csv-invalid", "column names and no rows", "a row an image"),
        (b"key,a\nx,1\ny\n", "csv-invalid", "1 cells on line 3, and 2 columns", "in quotes"),
        (b"key,a\nx,1,2\n", "csv-invalid", "3 cells on line 2", "in quotes"),
        (b'key,a\n"x\ny",1\n"z,1\n', "csv-invalid", "from line 4", "inside it twice"),
        (b'key,a\n"x"y,1\n', "csv-invalid", "from line 2", "inside it twice"),
        (b"key,a\nx,\x00\n", "csv-invalid", "zero bytes", "UTF-8"),
        (b"key,a\nx,\xe9\n", "csv-encoding", "is not UTF-8 (byte 8, line 2)", "iconv -f cp1252"),
        ("key,a\nx,1\n".encode("utf-16"), "csv-encoding", "is UTF-16", "--encoding utf-16"),
        ("key\nx\n".encode("utf-32"), "csv-encoding", "is UTF-32", "--encoding utf-32"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, code: str, part: str, hint: str) -> None:
    """With the byte or the line, and the way out."""
    with pytest.raises(InvalidDataError) as caught:
        read_csv(data, "t.csv")
    assert caught.value.code == code
    assert part in caught.value.message
    assert hint in caught.value.hint


def test_an_encoding_that_is_not_the_files_is_refused() -> None:
    with pytest.raises(InvalidDataError) as caught:
        read_csv(b"key,a\n\xff,1\n", "t.csv", encoding="utf-8")
    assert "is not UTF-8 (byte 6" in caught.value.message
    with pytest.raises(UsageError) as unknown:
        read_csv(b"key\nx\n", "t.csv", encoding="klingon")
    assert unknown.value.code == "csv-encoding-unknown"
    with pytest.raises(OpsError):
        read_csv(b"key\nx\n", "t.csv", encoding="base64")


@pytest.mark.parametrize("delimiter", ["", "::", '"', "\n"])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_csv(b"key\nx\n", "t.csv", delimiter=delimiter)
    assert caught.value.code == "csv-delimiter"


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "", "-20"], Kind.WHOLE, [1, None, -20]),
        (["007", "1"], Kind.TEXT, ["007", "1"]),
        (["1", "0.5", "1e-3"], Kind.NUMBER, [1.0, 0.5, 0.001]),
        (["12345678901234567890"], Kind.TEXT, ["12345678901234567890"]),
        (["0.12345678901234567890"], Kind.TEXT, ["0.12345678901234567890"]),
        (["True", "false", ""], Kind.FLAG, [True, False, None]),
        (["yes", "no"], Kind.TEXT, ["yes", "no"]),
        (["NA", "null", "NaN"], Kind.TEXT, ["NA", "null", "NaN"]),
        (["1,5"], Kind.TEXT, ["1,5"]),
        (["٣"], Kind.TEXT, ["٣"]),
        (["2026-11-21"], Kind.TEXT, ["2026-11-21"]),
        (["", ""], Kind.TEXT, [None, None]),
    ],
)
def test_a_cell_keeps_its_text_unless_all_are_numbers(
    cells: list[str], kind: Kind, values: list[object]
) -> None:
    """Nothing is dropped from an identifier, and no word becomes a hole."""
    assert typed(cells) == (kind, values)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["image", "image"], "two columns 'image'"),
        (["image", "Image"], "columns 'image' and 'Image'"),
        (["image", ""], "no name for column 2"),
        (["image", "Key"], "a column 'Key' besides 'image'"),
    ],
)
def test_columns_sql_cannot_tell_apart_are_refused(names: list[str], part: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        check_names(names, "t.csv", key="image")
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("names", "key", "hint"),
    [
        (["image;where"], "image", "--delimiter ';'"),
        (["image\twhere"], "image", "--delimiter $'\\t'"),
        (["Image", "where"], "image", "did you mean --key 'Image'"),
        (["a", "b"], "image", "name one of them with --key"),
    ],
)
def test_a_key_column_that_is_not_there_is_told(names: list[str], key: str, hint: str) -> None:
    """Another delimiter is recognised by it."""
    with pytest.raises(UsageError) as caught:
        check_names(names, "t.csv", key=key)
    assert caught.value.code == "no-such-column"
    assert hint in caught.value.hint


def test_a_key_column_may_be_called_key() -> None:
    check_names(["key", "a"], "t.csv", key="key")
