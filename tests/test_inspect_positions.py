"""Names that hold positions and no wells give a pattern; others give none."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import PLATE, Run, whole_plate

from cellpipe.cli import main
from cellpipe.errors import BadConfig
from cellpipe.inspect.derived_positions import derive_positions
from cellpipe.inspect.find import find_plates
from cellpipe.readers.accounting.files import Files
from cellpipe.readers.layouts.wells_by_order import wells_in_order


def named(pattern: str, **values: tuple) -> list[str]:
    """Names with every combination of the values."""
    return [
        pattern.format(**dict(zip(values, chosen, strict=True)))
        for chosen in product(*values.values())
    ]


def derived(names: list[str]) -> tuple[str, list[dict[str, str]]] | None:
    """How names were read, and the groups of each; None for names that are not clear."""
    found = derive_positions(Files(Path("."), sorted(names)))
    if found is None:
        return None
    matches = [re.fullmatch(found.pattern, name) for name in sorted(names)]
    return found.how, [match.groupdict() for match in matches if match]


N = (1, 2, 9)


@pytest.mark.parametrize(
    ("names", "first", "how"),
    [
        (named("01_POS{n:03d}_{c}.TIF", n=N, c="DFR"),
         {"position": "POS001", "channel": "D"}, "after 'pos'"),
        (named("01_POS002_{c}.TIF", c="DFR"), {"position": "POS002", "channel": "D"}, "'pos'"),
        (named("img_{n:04d}_{c}.tif", n=N, c=("DAPI", "GFP")),
         {"position": "0001", "channel": "DAPI"}, "no word explains"),
        (named("img_{n:04d}_z{z}_{c}.tif", n=N, z=N, c=("DAPI", "GFP")),
         {"position": "0001", "z": "1", "channel": "DAPI"}, "no word explains"),
        (named("slide{n}_pos{f}_t{t}_ch{c}.tif", n=N, f=N, t=N, c=N),
         {"position": "slide1", "field": "1", "t": "1", "channel": "1"}, "after 'slide'"),
        (named("dish {n}/img_{f:03d}_{c}.tif", n=N, f=N, c=("TL", "DAPI")),
         {"position": "dish 1", "field": "001", "channel": "DAPI"}, "each folder"),
        (named("run/{n}/x/s{f}.tif", n=("control", "drug"), f=N),
         {"position": "control", "field": "1"}, "each folder"),
        (named("{n}/{m}/img{f}.png", n=("mouse 1", "mouse 2"), m=("left", "right"), f=N),
         {"position": "mouse 1/left", "field": "1"}, "each folder"),
        (named("{c}/img_{n:03d}.tif", c=("DAPI", "GFP"), n=N),  # folders of stains
         {"position": "001", "channel": "DAPI"}, "no word explains"),
        (named("C{c}-Brain{n:04d}.tif", c=N, n=N),
         {"position": "Brain0001", "channel": "1"}, "no word explains"),
        (named("x_p0011_t{t:02d}_w1.tif", t=N), {"position": "p0011", "t": "01"}, "one position"),
        (named("movie_t{t}.tif", t=N), {"position": "movie", "t": "1"}, "one position"),
        (["control.tif", "my drug.tif"], None, ""),  # of several structures
        (["control.tif", "drug.tif"], {"position": "control"}, "each file"),
        (["1-162hrh2ax2.tif"], {"position": "1-162hrh2ax2"}, "each file"),
        (["a1_20200101.tif", "a2_20200102.tif"], {"position": "a1"}, "no word explains"),
    ],
)  # fmt: skip
def test_a_pattern_reads_positions(names: list[str], first: dict | None, how: str) -> None:
    found = derived(names)
    if first is None:
        assert found is None
        return
    assert found is not None
    said, places = found
    assert len(places) == len(names)
    assert len({tuple(one.items()) for one in places}) == len(names)
    assert {name: text for name, text in places[0].items() if text} == first
    assert how in said


@pytest.mark.parametrize(
    "names",
    [
        named("B02_{a}_{b}.tif", a=N, b=N),  # a well, though the rest is not clear
        named("{a}_{b}.tif", a=("B02", "C11"), b=("D03", "E04")),
        ["dish.tif", "B03.tif"],
        named("{a}_{b}.tif", a=N, b=N),  # two numbers, of which none is named
        named("t{t}_time{u}_s{s}.tif", t=N, u=N, s=N),  # two times
        named("{n}_{w}.tif", n=("a", "b"), w=("x", "y")),  # either may be the channel
        named("mask{n:03d}.tif", n=N),
        named("images/{n}.tif", n=N) + named("labels/{n}.png", n=N),
        [f"pos1_{chr(97 + k)}x.tif" for k in range(13)],  # more words than channels
        [],
    ],
)
def test_names_that_are_not_clear_give_no_pattern(names: list[str]) -> None:
    assert derived(names) is None


def test_a_few_images_in_folders_below_are_passed_over_and_said() -> None:
    names = [*named("01_POS{n:03d}_D.TIF", n=N), "old/01_POS002_D.TIF"]
    found = derived(names)
    assert found is not None
    assert [one["position"] for one in found[1]] == ["POS001", "POS002", "POS009"]


@pytest.mark.parametrize(
    ("name", "channels"), [("ExampleFly", ["D", "F", "R"]), ("ExampleSpeckles", ["1"])]
)
def test_real_sets(real_data: Path, name: str, channels: list[str]) -> None:
    (found,) = find_plates(real_data / "hcs-cp-examples" / name)
    assert found.planes is not None
    assert sorted(found.planes["channel"]) == channels
    assert set(found.planes["well"]) == {"A01"}
    assert "hold no wells" in found.hints[0]
    assert any("A01 is " in note for note in found.files.notes)


def test_labels_of_real_movies_are_no_positions(real_data: Path) -> None:
    with pytest.raises(BadConfig, match="no known microscope"):
        find_plates(real_data / "tracking-formats")


@pytest.mark.slow
def test_numbered_positions_run_as_the_same_images_in_wells_do(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """Wells B02 … are images img_0001_dapi.tif …: the rule names them A01 …, cells are the same."""
    wells = whole_plate(tmp_path_factory)
    images = tmp_path / "numbers" / "images"
    images.mkdir(parents=True)
    stains = {"1": "dapi", "2": "gfp", "3": "cy5"}
    places = {}
    for path in sorted((wells.folder / "images").rglob("*_w*.tif")):
        well, field, channel = re.findall(r"([A-Z]\d\d)_s(\d+)_w(\d)", path.name)[0]
        place = places.setdefault((well, field), len(places) + 1)
        (images / f"img_{place:04d}_{stains[channel]}.tif").write_bytes(path.read_bytes())
    monkeypatch.chdir(images.parent)
    assert main(["inspect", "images", "--write", "."]) == 0
    assert "A01 is 0001, A02 is 0002" in capsys.readouterr().out
    written = yaml.safe_load(Path("config.yaml").read_text())
    assert list(written["channels"]) == ["cy5", "dapi", "gfp"]
    (written_map,) = Path().glob("*-plate_map.tsv")
    assert written_map.read_text().splitlines()[:2] == [
        "well\tcondition\tdose\tcontrol\tposition", "A01\t\t\t\t0001",
    ]  # fmt: skip
    own = {
        "layouts": written["layouts"],
        "channels": {
            name: {"source": stains[spec["source"]]} for name, spec in PLATE["channels"].items()
        },
        "classify": {"training": "off"},
    }
    header = "plate\timages\tlayout\tplate_map"
    Path("plates.tsv").write_text(f"{header}\nP\timages\town\t{written_map}\n")
    run = Run(images.parent, {**PLATE, **own, "profile": {"readouts": ["area_um2"]}})
    run.run()
    ours, theirs = (pd.read_parquet(one.plate / "cells.parquet") for one in (run, wells))
    ruled = wells_in_order(map(str, places.values()))
    at = zip(theirs["well"], theirs["field"].astype(str), strict=True)
    assert list(ours["well"]) == [ruled[str(places[place])] for place in at]
    columns = ["area_um2", "dna_mean", "spots_mean"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])
    by_well = pd.read_parquet(run.plate / "wells.parquet").set_index("well")["position"]
    assert {well: name.lstrip("0") for well, name in by_well.items()} == {
        well: number for number, well in ruled.items()
    }
    assert "each position is taken as a well" in (run.plate / "warnings.tsv").read_text()
