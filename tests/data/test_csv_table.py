"""CSV files as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpunn
from gpunn.data import read_csv
from gpunn.data.csv_table import MISSING, number
from gpunn.errors import ArgumentError, DataError, MissingFileError


@pytest.fixture
def read(tmp_path):
    """Reads a text, or bytes, as a CSV file."""

    def read_(text):
        path = tmp_path / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_csv(path)

    return read_


def test_cells_are_text_and_missing_ones_none(read):
    table = read("a, b ,c\n1, x y ,\n NA ,?,3\n")
    assert table.columns == {"a": ["1", None], "b": ["x y", None], "c": [None, "3"]}
    assert table.lines == [2, 3]
    assert len(table) == 2


@pytest.mark.parametrize("text", sorted(MISSING))
def test_what_is_missing(read, text):
    assert read(f"a,b\n1,{text}\n").column("b") == [None]


def test_zero_and_no_are_not_missing(read):
    assert read("a,b,c\n0,no,N\n").columns == {"a": ["0"], "b": ["no"], "c": ["N"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(read, delimiter):
    table = read(delimiter.join(["a", "b"]) + "\n" + delimiter.join(["1", "2"]) + "\n")
    assert table.columns == {"a": ["1"], "b": ["2"]}


def test_decimal_commas_where_semicolons_separate(read):
    table = read("a;b;c\n1,5;x,y;1,2,3\n")
    assert table.columns == {"a": ["1.5"], "b": ["x,y"], "c": ["1,2,3"]}


def test_quotes_blank_lines_and_line_numbers(read):
    table = read('a,b\n"x,\n""y""",1\n\nz,2\n')
    assert table.column("a") == ['x,\n"y"', "z"]
    assert table.lines == [3, 5]


def test_a_byte_order_mark_and_windows_line_ends(read):
    assert read(b"\xef\xbb\xbfa,b\r\n1,2\r\n").columns == {"a": ["1"], "b": ["2"]}


def test_the_index_that_pandas_writes_is_left_out(read):
    assert read(",x\n0,5\n").columns == {"x": ["5"]}


def test_the_numbers_that_pandas_names_columns_are_a_header(read):
    assert list(read("0,1\n5,6\n").columns) == ["0", "1"]
    assert list(read(",0,1\n0,5,6\n").columns) == ["0", "1"]


def test_rows(read):
    table = read("a,b\n1,x\n2,y\n3,z\n").rows([2, 0])
    assert table.columns == {"a": ["3", "1"], "b": ["z", "x"]}
    assert table.lines == [4, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n1,2\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1\n", "line 2: 1 cells, but the header has 2 columns"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 cells"),
        ("a,b,a\n1,2,3\n", "two columns named 'a'"),
        ("1.5,2\n3,4\n", "numbers, not names"),
        (b"a,b\n\xff,2\n", "not UTF-8"),
    ],
)
def test_what_is_no_table(read, text, said):
    with pytest.raises(DataError, match=said):
        read(text)


def test_no_file_and_no_column(read, tmp_path):
    with pytest.raises(MissingFileError, match="there is no file"):
        read_csv(tmp_path / "no.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_csv(tmp_path)
    with pytest.raises(ArgumentError, match="did you mean 'colour'"):
        read("colour\nred\n").column("color")


@given(st.floats(allow_nan=False))
def test_numbers(value):
    assert number(repr(value)) == value


@pytest.mark.parametrize("text", ["1_000", "x", "1,5", "0x10", "", "1 2"])
def test_what_is_no_number(text):
    assert number(text) is None


def test_public_names():
    assert gpunn.data.read_csv is read_csv
