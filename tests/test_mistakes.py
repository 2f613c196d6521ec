"""Mistakes in writing YAML: each is answered with its line and what to type, with no traceback.

my.yaml ── read_yaml, `cellpipe check`, Snakefile ──► seen / wanted / do
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from in_process import run_forked

from cellpipe import cli
from cellpipe.config.reading import read_yaml
from cellpipe.errors import BadConfig

RIGHT = (
    "plates: plates.tsv\nchannels:\n  dna: {source: '1'}\nsegment:\n  nuclei:\n    channel: dna\n"
)


@pytest.mark.parametrize(
    ("text", "seen", "do"),
    [
        ("a: 1\nb:\n\tc: 2\n", "line 3: a tab before 'c: 2'", "replace each tab by two spaces"),
        ("a:\n  b: 1\n c: 2\n", "line 3: c: 2", "indentation of line 3"),
        ("a:\n  b: 1\n    c: 2\n", "line 3: c: 2", "indentation of line 3"),
        ("a: b: c\n", "line 1: a: b: c", "in quotes if it holds ': '"),
        ("a: 1\nb:2\nc: 3\n", "line 2: b:2", "write 'b: 2'"),
        ("a: [1, 2\nb: 3\n", "line 1: a: [1, 2", "close it in line 1"),
        ("a: {b: 1\nc: 3\n", "line 1: a: {b: 1", "close it in line 1"),
        ("a: 'x\nb: 3\n", "line 1: a: 'x", "close it in line 1"),
        ("a: @x\n", "line 1: a: @x", "in single quotes"),
        ("a: %x\n", "line 1: a: %x", "in single quotes"),
        ('a: "\\d"\n', 'line 1: a: "\\d"', "in single quotes"),
        ("", "no option in", "docs/options.md"),
        ("# only a comment\n", "no option in", "docs/options.md"),
        ("- a: 1\n", "in ", "name: value"),
        ("seed:1\n", "'seed:1'", "write 'seed: 1'"),
        ("seed = 1\n", "'seed = 1'", "write 'seed: 1'"),
        ("a: 1\na: 2\n", "the option 'a' twice", "join them, or remove one"),
    ],
)
def test_a_mistake_is_answered_with_its_line(tmp_path: Path, text: str, seen: str, do: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig) as fault:
        read_yaml(path)
    assert seen in fault.value.seen
    assert do in fault.value.do
    assert fault.value.wanted


def test_a_config_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "my-config.yaml").write_text(RIGHT)
    with pytest.raises(BadConfig, match=r"did you mean .*my-config\.yaml"):
        read_yaml(tmp_path / "my-confg.yaml")
    with pytest.raises(BadConfig, match="snakemake --configfile"):
        read_yaml(tmp_path / "elsewhere" / "a.yaml")
    with pytest.raises(BadConfig, match="a folder"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("a: 1\nb: Größe\n".encode("latin-1"))
    with pytest.raises(BadConfig, match=r"line 2: a character that is not UTF-8"):
        read_yaml(tmp_path / "latin.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert read_yaml(tmp_path / "bom.yaml") == yaml.safe_load(RIGHT)


def test_every_config_of_ours_is_read() -> None:
    for path in ROOT.glob("config/**/*.yaml"):
        assert read_yaml(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, and a sheet of one plate without images."""
    (tmp_path / "config").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "config/config.yaml").write_text(RIGHT)
    (tmp_path / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tcsv\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_config_is_checked_by_itself(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["check"]) == 0
    assert "no fault found. 1 plate(s): P; ingest, segment, measure" in capsys.readouterr().out
    assert cli.main(["check", str(ROOT / "config/training/spots.yaml")]) == 0
    assert "kind spots" in capsys.readouterr().out
    wrong = folder / "wrong.yaml"
    for text, words in [
        (RIGHT.replace("plates.tsv", "plate.tsv"), "no file plate.tsv"),
        (RIGHT + "profile: {readouts: [area_um]}\n", "write 'area_um2'"),
        (RIGHT + "kymographs: {lines: lines.tsv}\n", "'kymographs.lines'"),
        (RIGHT.replace("channel: dna", "channel: dan"), "write 'dna'"),
        ("name: a\nkind: spot\nschedule: {}\n", "write spots if that is meant"),
    ]:
        wrong.write_text(text)
        assert cli.main(["check", str(wrong)]) == 2
        printed = capsys.readouterr().err
        assert words in printed
        assert "seen:" in printed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("segment:\n\tnuclei: {}\n", "replace each tab by two spaces"),
        (RIGHT + "seed: 1\nseed: 2\n", "the option 'seed' twice"),
        (RIGHT + "ingest: {ngff_version: 0.5}\n", 'write "0.5" in quotes'),
        (None, "snakemake --configfile"),
    ],
)
def test_a_run_is_stopped_by_it_without_traceback(
    folder: Path, text: str | None, words: str
) -> None:
    path = folder / "config/config.yaml"
    path.unlink() if text is None else path.write_text(text)
    command = ["snakemake", f"--snakefile={ROOT / 'Snakefile'}", "--cores=1", "-n"]
    code, printed = run_forked([*command, "--directory", str(folder)], folder)
    assert code == 1
    assert words in printed
    assert "Traceback" not in printed
