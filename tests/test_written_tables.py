"""Tables as Excel, LibreOffice and LIMS write them: read right, or refused with row and word.

well;condition;dose           one plate map, in every spelling that programs give it
B02;DMSO;0                    →  doses 0, 0.1 and 1.5
B03;Compound A;0,1
B04;Compound A;1,5
"""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from cellpipe.config.lines import read_lines
from cellpipe.config.objects import read_annotations, read_true_places
from cellpipe.config.plate_map import read_plate_map
from cellpipe.errors import BadConfig
from cellpipe.files.decimals import Doubtful, decimal_mark, readings
from cellpipe.files.written_tables import local_path, read_written
from cellpipe.readers.layouts.csv import list_planes

WELLS = ["B02", "B03", "B04"]
GERMAN = "well;condition;dose\r\nB02;DMSO;0\r\nB03;Compound µ;0,1\r\nB04;Compound µ;1,5\r\n"
ENGLISH = "well,condition,dose\nB02,DMSO,0\nB03,Compound µ,0.1\nB04,Compound µ,1.5\n"


def saved(folder: Path, table: str | bytes, encoding: str = "utf-8", name: str = "map.csv") -> Path:
    path = folder / name
    path.write_bytes(table if isinstance(table, bytes) else table.encode(encoding))
    return path


RIGHT = {
    "german": GERMAN,
    "english": ENGLISH,
    "tabs": GERMAN.replace(";", "\t"),
    "excel's first line": "sep=;\r\n" + GERMAN,
    "old mac's line ends": ENGLISH.replace("\n", "\r"),
    "doubled line ends": ENGLISH.replace("\n", "\r\r\n"),
    "no end of the last line": ENGLISH.rstrip(),
    "blank rows": "\n,,\n" + ENGLISH.replace("B03", ",,\n\u00a0, ,\nB03") + ",,\n,,\n\n",
    "trailing separators": ENGLISH.replace("\n", ",,\n"),
    "trailing in rows": ENGLISH.replace("\n", ",\n").replace("dose,\n", "dose\n"),
    "a column without a name or a cell": "well,,condition,dose\nB02,,DMSO,0\n"
    "B03,,Compound µ,0.1\nB04,,Compound µ,1.5\n",
    "spaces": ENGLISH.replace(",", " ,\u00a0 "),
    "quotes": 'well,condition,dose\n"B02","DMSO","0"\n"B03","Compound µ","0.1"\n'
    '"B04","Compound µ","1.5"\n',
    "quoted decimal commas": 'well,condition,dose\nB02,DMSO,0\nB03,Compound µ,"0,1"\n'
    'B04,Compound µ,"1,5"\n',
    "exponents": ENGLISH.replace("0.1", "1E-1").replace("1.5", "15e-1"),
    "german exponents": GERMAN.replace("0,1", "1,0E-01").replace("1,5", "0,15E+1"),
    "no-break space within": ENGLISH.replace("Compound µ", "Compound\u00a0µ"),
    "trailing cells left out": "well,condition,dose,control\n"
    + ENGLISH.partition("\n")[2].replace("\n", ",\n", 1),
}


@pytest.mark.parametrize("table", RIGHT.values(), ids=list(RIGHT))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_plate_map_is_read_however_it_was_saved(tmp_path, table, encoding) -> None:
    read = read_plate_map(saved(tmp_path, table, encoding), WELLS)
    assert read["well"].tolist() == WELLS
    assert read["condition"].tolist() == ["DMSO", "Compound µ", "Compound µ"]
    assert read["dose"].tolist() == [0, 0.1, 1.5]
    assert set(read.columns) == {"well", "row", "column", "condition", "dose", "control"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_known_by_its_zeros(tmp_path, encoding) -> None:
    read = read_plate_map(saved(tmp_path, ENGLISH, encoding), WELLS)
    assert read["dose"].tolist() == [0, 0.1, 1.5]


@pytest.mark.parametrize(
    ("encoding", "known_as", "ends"),
    [("cp1252", "Windows-1252", "\r\n"), ("mac_roman", "Mac Roman", "\r")],
)
def test_an_old_encoding_is_read_with_a_word(tmp_path, caplog, encoding, known_as, ends) -> None:
    path = saved(tmp_path, ENGLISH.replace("µ", "é").replace("\n", ends), encoding)
    with caplog.at_level(logging.WARNING, logger="cellpipe"):
        read = read_plate_map(path, WELLS)
    assert read["condition"].tolist()[1] == "Compound é"
    assert known_as in caplog.text
    assert str(path) in caplog.text


def test_bytes_that_are_no_text_are_refused(tmp_path) -> None:
    with pytest.raises(BadConfig, match="no text in UTF-8 nor in cp1252"):
        read_plate_map(saved(tmp_path, b"well,dose\nB02,\x81\x8d\n"), WELLS)


HEAD = "well,condition,dose\n"
REFUSED = {
    "a decimal comma between commas": (HEAD + "B02,DMSO,0,5\n", ["row 2", "'5'", "decimal comma"]),
    "the same where rows end with commas": (
        HEAD + "B02,0,5,\nB03,1,5,\n",
        ["row 2 of", "4 cells", "decimal comma"],
    ),
    "one row with more cells": (HEAD + "B02,DMSO,0\nB03,DMSO,1,\n", ["row 3", "4 cells"]),
    "first cells would become names": (HEAD + "1,B02,DMSO,0\n", ["row 2", "4 cells"]),
    "a unit": (HEAD + "B02,DMSO,0\nB03,A,10 µM\n", ["'10 µM' in row 3, column C ('dose')", "unit"]),
    "a unit without space": (HEAD + "B02,A,10nM\n", ["'10nM' in row 2"]),
    "a range": (HEAD + "B02,A,<0.1\n", ["'<0.1' in row 2"]),
    "a date": (HEAD + "B02,A,01.05.2026\n", ["'01.05.2026' in row 2"]),
    "below zero": (HEAD + "B02,A,-6.5\n", ["'-6.5' in row 2"]),
    "not a number": (HEAD + "B02,A,NaN\n", ["'NaN' in row 2"]),
    "no end": (HEAD + "B02,A,1e999\n", ["'1e999' in row 2"]),
    "python's underscores": (HEAD + "B02,A,1_000\n", ["'1_000' in row 2"]),
    "thousand or one": ("well;dose\nB02;1.000\nB03;250\n", ["'1.000' in row 2", "thousand"]),
    "thousand or one, quoted": ('well,dose\nB02,"1,000"\n', ["'1,000' in row 2"]),
    "two decimal marks": ("well;dose\nB02;0,5\nB03;0.25\n", ["'0,5' in row 2", "decimal mark"]),
    "titles": ("Plate map of 3 May\n\nwell,dose\nB02,1\n", ["row 1", "header in row 3", "remove"]),
    "titles with other separators": ("A;B\nx;y\nwell;dose\nB02;1\n", ["row 1", "header in row 3"]),
    "merged header": ("well;condition;;dose\nB02;A;B;1\n", ["'B' in row 2, column C", "merged"]),
    "double header": ("well,dose,dose\nB02,1,2\n", ["'dose' twice", "(B and C)"]),
    "a grid": (",1,2,3\nA,DMSO,x,y\n", ["shape of a plate", "one row per well"]),
    "a unit in a header": ("well;dose [µM]\nB02;0,1\n", ["'dose [µM]'", "rename", "'dose'"]),
    "a unit behind a header": ("well,Dose_uM\nB02,1\n", ["'Dose_uM'", "rename", "'dose'"]),
    "the header again": ("well,dose\nB02,1\nwell,dose\nB03,2\n", ["'well' in row 3"]),
    "no header": ("B02,DMSO,0\nB03,DMSO,0\n", ["column named 'well'"]),
    "an error value": (HEAD + "B02,#N/A,0\n", ["'#N/A' in row 2", "formula"]),
    "a german error value": ("well;condition\nB02;#BEZUG!\n", ["'#BEZUG!' in row 2"]),
    "a narrow column": (HEAD + "B02,A,#####\n", ["'#####' in row 2"]),
    "another separator below": (
        HEAD + "B02,DMSO,0\nB03;DMSO;0\n",
        ["row 3", "separated by commas"],
    ),
    "an open quotation mark": (HEAD + 'B02,"DMSO,0\nB03,A,1\n', ["quotation mark", "row"]),
    "rows within a quotation": (HEAD + 'B02,"A,0\nB03,A,1\nB04,A",1\n', ["row 2", "within one"]),
    "a row without a well": (HEAD + ",DMSO,0\n", ["row 2, column A ('well')"]),
    "no well": (HEAD + "B02,DMSO,0\nTotal,,\n", ["'Total' in row 3", "('well')"]),
    "twice": (HEAD + "B02,A,1\nB03,A,1\nb2,A,1\n", ["B02 more than once (B02 in rows 2, 4)"]),
    "blank": (",,\n\n", ["without any cell"]),
    "empty": ("", ["without any cell"]),
    "short word": ("well,control\nB02,neg\n", ["'neg' in row 2, column B", "'negative'"]),
    "typing error": ("well,control\nB02,postive\n", ["'postive' in row 2", "'positive'"]),
    "another word": ("well,control\nB02,none\n", ["'none' in row 2", "leave the cell"]),
}


@pytest.mark.parametrize(("table", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_in_doubt_is_refused_with_row_and_word(tmp_path, table, words) -> None:
    path = saved(tmp_path, table)
    with pytest.raises(BadConfig) as refused:
        read_plate_map(path, WELLS)
    assert all(word in str(refused.value) for word in [*words, str(path)]), str(refused.value)


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(tmp_path) -> None:
    """Blank rows count, a cell of two lines is one row, and Excel's first line is none."""
    table = 'sep=;\nwell;"dose\n(µM)";dose\n;;\nB02;"a\nb";0\nB03;c;x\n'
    with pytest.raises(BadConfig, match="'x' in row 4, column C"):
        read_plate_map(saved(tmp_path, table), WELLS)


def test_controls_are_known_whatever_their_case_and_blanks(tmp_path) -> None:
    table = "well,control\nB02,Negative \nB03,\u00a0POSITIVE\nB04, \n"
    read = read_plate_map(saved(tmp_path, table), WELLS)
    assert read["control"].tolist() == ["negative", "positive", ""]


def test_missing_cells_at_the_end_are_said(tmp_path, caplog) -> None:
    path = saved(tmp_path, "well,dose,control\nB02,0,negative\nB03,1\nB04,2\n")
    with caplog.at_level(logging.WARNING, logger="cellpipe"):
        assert read_plate_map(path, WELLS)["control"].tolist() == ["negative", "", ""]
    assert "2 row(s) end before the last column, row 3 first" in caplog.text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("12", {".": 12, ",": 12}),
        ("0.5", {".": 0.5}),
        ("0,5", {",": 0.5}),
        ("1.234,5", {",": 1234.5}),
        ("1,234.5", {".": 1234.5}),
        ("1 234,5", {",": 1234.5}),
        ("1\u202f234,5", {",": 1234.5}),
        ("1'234.5", {".": 1234.5}),
        ("1’234", {".": 1234, ",": 1234}),
        ("1.234.567", {",": 1234567}),
        ("1,234", {".": 1234, ",": 1.234}),
        ("1.234", {".": 1.234, ",": 1234}),
        ("0.125", {".": 0.125}),
        ("\u22121,5E-3", {",": -0.0015}),
        (".5", {".": 0.5}),
        ("1E3", {".": 1000, ",": 1000}),
        *(
            (text, {})
            for text in ("", "1,2,3", "12 34", "1.23.4", "0x10", "inf", "nan", "½", "1e", "٣")
        ),
    ],
)
def test_readings_of_a_number(text: str, values: dict[str, float]) -> None:
    assert readings(text) == values


@pytest.mark.parametrize(
    ("texts", "separator", "mark"),
    [
        (["1", "2"], ";", "."),
        (["1,234", "0,5"], ";", ","),
        (["1,234", "0.5"], ",", "."),
        (["1.234", "2,5"], "\t", ","),
        (["1,234"], ";", ","),  # semicolons are written where the comma is the decimal mark
        (["12.345", "101.250"], "\t", "."),  # positions, as programs write them
        (["12.345"], ",", "."),
    ],
)
def test_the_decimal_mark_is_that_of_the_whole_table(texts, separator, mark) -> None:
    assert decimal_mark(texts, separator) == mark


@pytest.mark.parametrize(
    ("texts", "separator"),
    [(["1,234"], "\t"), (["1.000", "250"], "\t"), (["1.234"], ";"), (["1,234", "5.678"], ";")],
)
def test_a_decimal_mark_is_not_guessed(texts, separator) -> None:
    with pytest.raises(Doubtful):
        decimal_mark(texts, separator)


def workbook(path: Path, rows: list[list[object]], merge: str = "") -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    book.save(path)
    return path


def test_a_workbook_is_read_whatever_its_name(tmp_path) -> None:
    rows = [
        ["well", "condition", "dose"],
        [],
        ["B02", "DMSO", 0],
        ["B03", "A", 0.1],
        ["B04", "A", 1.5],
    ]
    for name in ("map.xlsx", "map.csv"):
        read = read_plate_map(workbook(tmp_path / name, rows), WELLS)
        assert read["dose"].tolist() == [0, 0.1, 1.5]


@pytest.mark.parametrize(
    ("rows", "merge", "words"),
    [
        ([["well", "condition"], ["B02", "A"], ["B03", None]], "B2:B3", "merged cells B2:B3"),
        ([["well", "dose"], ["B02", "=1+1"]], "", "formula in cell B2"),
        ([["well", "dose"], ["B02", pd.Timestamp("2026-05-01")]], "", "row 2, column B"),
        ([["well", "dose"], ["B02", 1, "x"]], "", "row 2, column C"),
    ],
)
def test_what_a_workbook_hides_is_refused(tmp_path, rows, merge, words) -> None:
    with pytest.raises(BadConfig, match=words):
        read_plate_map(workbook(tmp_path / "map.xlsx", rows, merge), WELLS)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_that_cannot_be_read_is_refused(tmp_path, start) -> None:
    with pytest.raises(BadConfig, match="save it as 'CSV UTF-8'"):
        read_plate_map(saved(tmp_path, start + b"\0" * 600, name="map.xls"), WELLS)


PLACES = "well;field;t;y_um;x_um;class\nb2;1;0;10,5;20,25;mitotic\nB03;2;1;0,5;1;other\n"


def test_annotations_and_truths_are_read_by_the_same_reader(tmp_path) -> None:
    path = saved(tmp_path, PLACES, "utf-16")
    for read in (read_annotations(path), read_true_places(path)):
        assert read["well"].tolist() == ["B02", "B03"]
        assert read["y_um"].tolist() == [10.5, 0.5]
        assert read[["field", "t"]].to_numpy().tolist() == [[1, 0], [2, 1]]
    assert read_annotations(path)["class"].tolist() == ["mitotic", "other"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("mitotic", ""), "'' in row 2, column F"),
        (("10,5", "10,5 µm"), "'10,5 µm' in row 2, column D"),
        (("2;1;0,5", "2.5;1;0,5"), "'2.5' in row 3, column B"),
        (("class", "Class"), "without the column class"),
        (("mitotic", "mitotic;x"), "row 2 of .* with 7 cells"),
    ],
)
def test_a_wrong_annotation_is_refused(tmp_path, change, words) -> None:
    with pytest.raises(BadConfig, match=words):
        read_annotations(saved(tmp_path, PLACES.replace(*change)))


def test_a_truth_without_any_spot_is_a_truth(tmp_path) -> None:
    assert read_true_places(saved(tmp_path, "well\tfield\ty_um\tx_um\n", name="spots.tsv")).empty


def test_lines_are_read_by_the_same_reader(tmp_path) -> None:
    table = (
        "plate;well;field;channel;line;y_um;x_um;;\nP;B3;1;dna;a;0,5;1,5;;\nP;B3;1;dna;a;9;9;;\n"
    )
    read = read_lines(saved(tmp_path, table), {"P": ["dna"]})
    assert read["y_um"].tolist() == [0.5, 9]
    assert read["well"].tolist() == ["B03", "B03"]


def test_a_list_of_planes_is_read_by_the_same_reader(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/1.tif", "a/2.tif"):
        (tmp_path / name).touch()
    table = "path;well;field;;\r\na\\1.tif;B02;1;;\r\na\\2.tif;B02;2;;\r\n;;;;\r\n"
    saved(tmp_path, table, "utf-8-sig", "manifest.csv")
    planes = list_planes(tmp_path)
    assert planes["path"].tolist() == ["a/1.tif", "a/2.tif"]
    assert planes["field"].tolist() == [1, 2]
    saved(tmp_path, table.replace("B02;2", "B02;2,5"), name="manifest.csv")
    with pytest.raises(BadConfig, match="'2,5' in row 3, column C"):
        list_planes(tmp_path)


def test_paths_of_windows_are_paths(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd\\name").touch()
    assert local_path("day 1\\images") == "day 1/images"
    assert local_path("odd\\name") == "odd\\name"
    assert local_path("D:\\data") == "D:\\data"  # no such place here: refused as it stands


def test_names_of_files_from_a_mac_are_found(tmp_path) -> None:
    """macOS takes é apart into e and an accent; cells of tables are composed."""
    name = unicodedata.normalize("NFD", "é.tif")
    (tmp_path / name).touch()
    for written in (name, "é.tif"):
        saved(tmp_path, f"path,well\n{written},B02\n", name="manifest.csv")
        assert list_planes(tmp_path)["path"].tolist() == [name]
        assert local_path(str(tmp_path / written)).endswith(name)


@pytest.mark.parametrize("filling", [b"\0", b"\0" * 511, b"\x1a", b"\r\n\0\0\x1a"])
def test_a_file_that_was_filled_up_with_zeros_is_read(tmp_path, filling) -> None:
    read = read_plate_map(saved(tmp_path, ENGLISH.encode() + filling), WELLS)
    assert read["dose"].tolist() == [0, 0.1, 1.5]


def test_a_table_knows_where_each_word_stood(tmp_path) -> None:
    written = read_written(saved(tmp_path, "a,b\n1,x\n,\n2,y\n"), "table", header=("a",))
    assert written.cells.index.tolist() == [2, 4]
    assert written.numbers(["a"])["a"].tolist() == [1, 2]
    fault = written.fault(4, "b", wanted="z", do="correct it")
    assert "'y' in row 4, column B ('b') of table" in fault.seen
