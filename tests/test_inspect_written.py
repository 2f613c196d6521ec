"""What `cellpipe inspect --write` makes runs as it is, or names what must be chosen."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from in_process import run_forked
from microscopes import NAMES, POSITIONS, cellvoyager, harmony, metaxpress
from running import ROOT

from cellpipe.cli import main
from cellpipe.config.checked import check_file
from cellpipe.config.plate_map import read_plate_map
from cellpipe.inspect.channels import Channel, colours, keys, nuclei
from cellpipe.inspect.sets import channel_sets


def channels(*names: str) -> list[Channel]:
    return [Channel(str(n), name, "") for n, name in enumerate(names, start=1)]


# ---- channels


@pytest.mark.parametrize(
    "name",
    ["DAPI", "HOECHST 33342", "Hoechst", "405 DAPI", "DNA", "nuc_DNA", "dna", "DRAQ5", "H2B-GFP",
     "SYTOX Green", "Nuclei", "NucBlue", "TO-PRO-3", "w1DAPI"],
)  # fmt: skip
def test_stains_of_dna_are_recognised(name: str) -> None:
    chosen, why = nuclei(channels("Alexa 488", name, "Brightfield"))
    assert chosen is not None
    assert chosen.name == name
    assert f"'{name}'" in why


@pytest.mark.parametrize(
    "name",
    ["405", "405 (BP445/45)", "Ch1_ConfocalFluorescence_405nm/100mW_BP447/60", "385/30", "385 nm"],
)
def test_the_only_light_below_410_nm_is_that_of_dapi_and_is_said(name: str) -> None:
    three = channels("488 (BP525/50)", name, "Ch3_561nm_BP617/73")
    chosen, why = nuclei(three)
    assert chosen == three[1]
    assert "make sure that it shows nuclei" in why
    assert nuclei([*three, Channel("4", "365", "")])[0] is None  # two of them
    assert nuclei([*three, Channel("4", "DRAQ5", "")])[0] == Channel("4", "DRAQ5", "")


@pytest.mark.parametrize(
    "name",
    ["SYTO 14", "Blue", "Channel 1", "1", "RNA", "nucleoli", "Alexa 405", "CFP 405", "445/45",
     "Brightfield 405", "img_0405", "w405x", "1.405"],
)  # fmt: skip
def test_other_names_are_not_guessed(name: str) -> None:
    chosen, why = nuclei(channels(name, "Alexa 488"))
    assert chosen is None
    assert f"choose one of '{name}', 'Alexa 488' by --nuclei" in why


def test_two_stains_of_dna_are_left_to_a_person() -> None:
    chosen, why = nuclei(channels("DAPI", "H2B-GFP"))
    assert chosen is None
    assert why.startswith("several names are of DNA")


def test_a_person_chooses_by_name_or_token() -> None:
    three = channels("405", "488", "640")
    for named in ("488", "2"):
        chosen, _ = nuclei(three, [named])
        assert chosen == three[1]
    assert nuclei(three, ["DAPI", "2"])[0] == three[1]  # of another plate
    assert nuclei(three, ["DAPI"]) == (
        None,
        "no channel 'DAPI': --nuclei takes one of '405', '488', '640', and may be given again",
    )  # fmt: skip


def test_the_only_channel_is_taken_and_it_is_said() -> None:
    (only,) = three = channels("Fluorescein (FITC)")
    assert nuclei(three) == (only, "the only channel: make sure that it shows nuclei")


def test_names_for_the_config_are_valid_and_differ() -> None:
    names = ["HOECHST 33342", "405 (BP445/45)", "405 (BP445/45)", "ΔF", "no", "Alexa 488"]
    assert list(keys(channels(*names)).values()) == [
        "hoechst_33342", "channel_405_bp445_45", "channel_405_bp445_45_2", "f", "channel_no",
        "alexa_488",
    ]  # fmt: skip


def test_colours_follow_names() -> None:
    found = colours(channels("DAPI", "GFP", "Cy5", "Brightfield", "x", "y"))
    assert list(found.values())[:4] == ["0000FF", "00FF00", "FF00FF", "FFFFFF"]
    assert found["5"] != found["6"]


# ---- config and sheet


def written(folder: Path, *options: str) -> tuple[dict, list[list[str]]]:
    """The config and the rows of the sheet that the command writes."""
    assert main(["inspect", str(folder), "--write", "my", *options]) == 0
    rows = Path("my/plates.tsv").read_text(encoding="utf-8").splitlines()
    config = yaml.safe_load(Path("my/config.yaml").read_text(encoding="utf-8"))
    return config, [row.split("\t") for row in rows]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("below", [".", "screen"])
def test_a_run_that_would_put_results_into_the_images_is_refused_here(
    here: Path, below: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """As after `cd My plate`; with a command that works."""
    metaxpress(here / "My plate")
    (here / "My plate" / below).mkdir(exist_ok=True)
    monkeypatch.chdir(here / "My plate" / below)
    assert main(["inspect", str(here / "My plate"), "--write", "run"]) == 2
    command = capsys.readouterr().err.rpartition("do:")[2].strip()
    assert command == f"cd {here} && cellpipe inspect 'My plate' --write 'My plate-run'"
    assert sorted(path.name for path in here.iterdir()) == ["My plate"]
    assert main(["inspect", str(here / "My plate")]) == 0  # without a run, anywhere


def test_pictures_and_maps_have_the_names_of_the_sheet(here: Path) -> None:
    for number in ("3436", "3437"):
        metaxpress(here / "screen" / "images" / number / "2023-02-21")
    _, rows = written(here / "screen")
    assert [row[0] for row in rows] == ["plate", "screen_3436", "screen_3437"]
    there = {path.name.partition("-")[0] for path in (here / "my").glob("*-*")}
    assert there == {"screen_3436", "screen_3437"}


@pytest.mark.parametrize("microscope", [harmony, metaxpress, cellvoyager])
def test_the_config_has_no_fault(here: Path, microscope) -> None:
    microscope(here / "My plate")
    config, rows = written(here / "My plate")
    nuclear = keys(channels(NAMES[0] + " (BP)" * (microscope is cellvoyager)))["1"]
    assert config["segment"]["nuclei"]["channel"] == nuclear
    assert [row[0] for row in rows] == ["plate", "My_plate"]
    # seen from the folder of the run
    assert rows[1][1] == "My plate" + "/Images" * (microscope is harmony)
    assert "1 plate(s): My_plate" in check_file(Path("my/config.yaml"))


def test_a_plate_map_is_there_to_be_filled_in(here: Path) -> None:
    _, rows = written(harmony(here / "P"))
    assert rows[1][3] == "my/P-plate_map.tsv"
    lines = Path("my/P-plate_map.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["well", "condition", "dose", "control"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["B02", "B03", "C02", "C03"]
    filled = read_plate_map("my/P-plate_map.tsv", ["B02", "B03", "C02", "C03"])
    assert filled["well"].tolist() == ["B02", "B03", "C02", "C03"]


def test_pictures_are_written_next_to_the_config(here: Path) -> None:
    written(harmony(here / "P"))
    for name in ("wells", "channels"):
        assert Path(f"my/P-{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_what_must_be_chosen_is_named(here: Path, capsys: pytest.CaptureFixture) -> None:
    folder = metaxpress(here / "P")
    (folder / "P.HTD").unlink()
    config, _ = written(folder)
    assert config["segment"]["nuclei"]["channel"] is None
    assert "'segment.nuclei.channel' in my/config.yaml must be set" in capsys.readouterr().out
    config, _ = written(folder, "--nuclei", "2")  # what no person has changed is written again
    assert config["segment"]["nuclei"]["channel"] == "channel_2"
    check_file(Path("my/config.yaml"))


def test_a_channel_that_is_not_there_is_answered_with_the_nearest(
    here: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["inspect", str(harmony(here / "P")), "--nuclei", "Hoechst", "--write", "my"]) == 2
    said = capsys.readouterr().err
    assert "no channel 'Hoechst'" in said
    assert "did you mean 'HOECHST 33342'?" in said
    assert not Path("my/config.yaml").exists()


def test_nothing_that_was_changed_is_overwritten(here: Path, capsys: pytest.CaptureFixture) -> None:
    folder = harmony(here / "P")
    written(folder)
    for name in ("config.yaml", "plates.tsv", "P-plate_map.tsv"):
        path = Path("my", name)
        before = path.read_bytes()
        path.write_bytes(before + b"# mine\n")
        assert main(["inspect", str(folder), "--write", "my"]) == 2
        assert f"my/{name}, which is there already, and different" in capsys.readouterr().err
        assert path.read_bytes() == before + b"# mine\n"
        path.write_bytes(before)
    written(folder)  # the same again


def test_plates_of_other_channels_get_a_set_of_their_own(
    here: Path, capsys: pytest.CaptureFixture
) -> None:
    metaxpress(here / "data" / "one")
    (metaxpress(here / "data" / "two") / "P.HTD").unlink()
    for path in (here / "data" / "two" / "TimePoint_1").glob("*w3.tif"):
        path.unlink()
    config, rows = written(here / "data")
    assert rows[0] == ["plate", "images", "layout", "plate_map", "channels"]
    assert [[*row[:3], row[4]] for row in rows[1:]] == [
        ["one", "data/one", "imagexpress", ""], ["two", "data/two", "imagexpress", "two"],
    ]  # fmt: skip
    assert [spec["source"] for spec in config["channels"].values()] == ["1", "2", "3"]
    of_two = {name: spec["source"] for name, spec in config["channel_sets"]["two"].items()}
    assert of_two == {"hoechst_33342": "1", "alexa_488": "2"}
    said = capsys.readouterr().out
    assert "two: token '1' has no name, and is taken for 'HOECHST 33342'" in said
    assert "the plate two has no channel 'brightfield'" in check_file(Path("my/config.yaml"))


def test_plates_of_the_same_channels_need_no_set(here: Path) -> None:
    metaxpress(here / "data" / "one")
    metaxpress(here / "data" / "two")
    config, rows = written(here / "data")
    assert rows[0] == ["plate", "images", "layout", "plate_map"]
    assert "channel_sets" not in config


def test_plates_of_two_microscopes_map_to_the_same_names(
    here: Path, capsys: pytest.CaptureFixture
) -> None:
    metaxpress(here / "data" / "one")
    cellvoyager(here / "data" / "two")
    config, _ = written(here / "data")
    assert config["segment"]["nuclei"]["channel"] == "hoechst_33342"
    of_two = config["channel_sets"]["two"]
    assert of_two["hoechst_33342"]["source"] == "01"
    said = capsys.readouterr().out
    assert "both show nuclei" in said
    assert "'Alexa 488 (BP)', 'Brightfield (BP)': of no other plate by name" in said
    check_file(Path("my/config.yaml"))


def test_channels_are_the_same_by_name_by_nuclei_or_by_token() -> None:
    def of(**names: str) -> list[Channel]:
        return [Channel(token, name, "test") for token, name in names.items()]

    one, two = of(a="HOECHST", b="GFP", c="Cy5"), of(b="gfp", a="DAPI", d="Cy5 long")
    sets, of_plates, notes = channel_sets([one, two, one], ["A", "B", "C"])
    assert of_plates == ["", "B", ""]
    assert sets[1].keys == {"b": "gfp", "a": "hoechst", "d": "cy5_long"}
    assert notes[0] == "B: 'DAPI' and 'HOECHST' both show nuclei: one name for both"
    assert notes[1].startswith("B: 'Cy5 long': of no other plate by name")
    light = of(x="405", b="gfp")
    assert channel_sets([one, light], ["A", "B"]).sets[1].keys == {"x": "hoechst", "b": "gfp"}
    unknown = of(a="Blue", b="gfp", c="c")
    sets, _, notes = channel_sets([one, unknown], ["A", "B"])
    assert sets[1].keys == {"a": "blue", "b": "gfp", "c": "cy5"}
    assert "'channel_sets.B' must be set" in notes[-1]
    assert "give that one the name 'hoechst'" in notes[-1]
    clash = of(a="HOECHST", b="Gfp!")  # another name with the same letters
    assert channel_sets([one, clash], ["A", "B"]).sets[1].keys == {"a": "hoechst", "b": "gfp_2"}


@pytest.mark.slow
def test_from_a_folder_to_a_report_in_two_commands(here: Path) -> None:
    harmony(here / "P")
    written(here / "P")
    words = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    command = [sys.executable, *words, "--directory", str(here), "--configfile", "my/config.yaml"]
    code, said = run_forked([*command, "--", "results/P/report.html"], here)
    assert code == 0, said
    assert (here / "results/P/report.html").is_file()
    fields = pd.read_parquet(here / "results/P/fields.parquet").set_index(["well", "field"])
    assert len(fields) == 8
    centres = fields[["field_centre_y_um", "field_centre_x_um"]]
    for (_, field), centre in centres.iterrows():
        assert tuple(centre) == pytest.approx(POSITIONS[field])
    log = (here / "results/logs/inspect_plate/P.log").read_text()
    assert "stage positions: 8 of 8 fields, relative to the centre of the well" in log
