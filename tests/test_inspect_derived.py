"""Names of no known microscope that hold wells give a pattern; others give none."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import tifffile
import yaml
from microscopes import planes

from cellpipe.cli import main
from cellpipe.config.checked import check_file
from cellpipe.inspect.derived import derive_pattern
from cellpipe.readers.accounting.files import Files


def named(pattern: str, **values: tuple) -> list[str]:
    """Names with every combination of the values."""
    return [
        pattern.format(**dict(zip(values, chosen, strict=True)))
        for chosen in product(*values.values())
    ]


def groups(names: list[str]) -> list[dict[str, str]]:
    pattern = derive_pattern(Files(Path("."), sorted(names)))
    assert pattern is not None
    matches = [re.fullmatch(pattern, name) for name in names]
    return [found.groupdict() for found in matches if found]


W, N = ("B02", "C11"), (1, 2)


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (named("{w}_s{s}_t{t:03d}_w{c}.tif", w=W, s=N, t=N, c=N),
         {"well": "B02", "field": "1", "t": "001", "channel": "1"}),
        (named("day1/{w}_site{s}_{c}.tif", w=W, s=N, c=("GFP", "DAPI")),
         {"well": "B02", "field": "1", "channel": "GFP"}),
        (named("exp_{w}_xy{s:02d}t{t:02d}.tif", w=("A1", "B2"), s=N, t=N),
         {"well": "A1", "field": "01", "t": "01"}),
        (named("{w}_F{s}_C{c}.tif", w=W, s=N, c=N), {"well": "B02", "field": "1", "channel": "1"}),
        (named("{w}/img_{s}.tif", w=W, s=N), {"well": "B02", "field": "1"}),
        (named("well-{w}_{c}.png", w=("A4", "A5"), c=("TL", "DAPI")),
         {"well": "A4", "channel": "TL"}),
        (named("x-{r}-{k:02d}-ch{c}.tif", r=("A", "B"), k=N, c=N),
         {"row": "A", "column": "01", "channel": "1"}),
        (named("site {s} time {t} {w}.tif", s=N, t=N, w=W),
         {"field": "1", "t": "1", "well": "B02"}),
        (["17-B02-c1.tif", "17-B02-c2.tif", "18-B03-c1.tif", "18-B03-c2.tif"],  # 17 is B02
         {"well": "B02", "channel": "1"}),
    ],
)  # fmt: skip
def test_a_pattern_reads_what_names_hold(names: list[str], first: dict[str, str]) -> None:
    found = groups(names)
    assert len(found) == len(names)
    assert len({tuple(one.items()) for one in found}) == len(names)
    assert found[0] == first


@pytest.mark.parametrize(
    "names",
    [
        named("ef002xy01t{t:02d}.tif", t=N),  # no well
        named("C{c}-Brain{n:04d}.tif", c=N, n=N),  # a channel, not a well
        named("B02_{a}_{b}.tif", a=N, b=N),  # two numbers, of which none is named
        named("{a}_{b}.tif", a=W, b=("D03", "E04")),  # two wells
        ["B02_1.tif", "B02_1_x_2.tif", "C03-7-q.tif"],  # no common structure
        [],
    ],
)
def test_names_that_are_not_clear_give_no_pattern(names: list[str]) -> None:
    assert derive_pattern(Files(Path("."), sorted(names))) is None


def test_a_pattern_is_reported_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plate").mkdir()
    for plane in planes():
        stain = ("DAPI", "GFP", "TL")[plane.channel - 1]
        path = Path(f"plate/{plane.well}_site{plane.field}_{stain}.tif")
        tifffile.imwrite(path, plane.pixels, metadata=None)
    assert main(["inspect", "plate", "--write", "my"]) == 0
    said = capsys.readouterr().out
    assert "the names are of no known microscope, and were read by the pattern" in said
    assert "wells         4 (row and columns: B 2-3; C 2-3)" in said
    config = yaml.safe_load(Path("my/config.yaml").read_text())
    assert set(config["layouts"]) == {"own"}
    assert config["segment"]["nuclei"]["channel"] == "dapi"
    row = Path("my/plates.tsv").read_text().splitlines()[1]
    assert row.split("\t")[:3] == ["plate", "plate", "own"]
    check_file(Path("my/config.yaml"))
