"""Names that a config gives, held to what each plate will have, before the first job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_in_place import draw_source
from test_readouts import config

from cellpipe.config.names import refuse_unknown_names
from cellpipe.errors import BadConfig

ROW = {"images": "images", "layout": "mine", "plate_map": "", "annotations": "", "truth": ""}


def check(row: dict[str, Any], **sections: Any) -> None:
    refuse_unknown_names(config(**sections), {"P": {**ROW, **row}})


@pytest.fixture(scope="module")
def in_place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An OME-Zarr plate of the channels DAPI and GFP; the first well has RFP in place of GFP."""
    path = draw_source(tmp_path_factory.mktemp("source") / "theirs.zarr", "0.5", odd_channels=True)
    return {"images": str(path), "layout": "ome-zarr", "truth": str(path)}


RATIO = {"numerator": "dna_mean", "denominator": "gfp_mean"}
CHANNELS = {"channels": {"dna": {"source": "DAPI"}}}


def test_readouts_of_a_plate_in_place_are_of_its_own_channels(in_place: dict[str, Any]) -> None:
    for column in ("dna_mean", "RFP_mean"):
        check(in_place, **CHANNELS, profile={"readouts": [column]})
    ratios = {"r": {"numerator": "RFP_mean", "denominator": "dna_mean"}}
    check(in_place, **CHANNELS, measure={"ratios": ratios}, profile={"readouts": ["r"]})
    with pytest.raises(BadConfig, match="write 'RFP_mean'"):
        check(in_place, **CHANNELS, profile={"readouts": ["RFP_maen"]})
    with pytest.raises(BadConfig, match=r"channels\.dna\.source': write 'DAPI'"):
        check(in_place, channels={"dna": {"source": "DAP1"}})


def test_a_label_layer_that_no_truth_has_is_refused(
    in_place: dict[str, Any], tmp_path: Path
) -> None:
    check(in_place, **CHANNELS, evaluate={"truth_layer": "theirs"})
    with pytest.raises(BadConfig, match="write 'theirs'"):
        check(in_place, **CHANNELS, evaluate={"truth_layer": "thiers"})
    with pytest.raises(BadConfig, match="no 'truth' in the sheet"):
        check({}, evaluate={"truth_layer": "theirs"})
    (tmp_path / "B03_1_nuclei_by_hand.tif").touch()
    folder = {"truth": str(tmp_path)}
    check(folder, evaluate={"truth_layer": "nuclei_by_hand"})
    with pytest.raises(BadConfig, match="nuclei_by_hand"):
        check(folder, evaluate={"truth_layer": "by_hand"})


def annotated(folder: Path, *classes: str) -> dict[str, Any]:
    rows = [f"B03\t1\t0\t{i}\t{i}\t{name}" for i, name in enumerate(classes)]
    path = folder / "annotations.tsv"
    path.write_text("\n".join(["well\tfield\tt\ty_um\tx_um\tclass", *rows]) + "\n")
    return {"annotations": str(path)}


def test_fractions_are_of_classes_that_were_annotated(tmp_path: Path) -> None:
    asked = {"classify": {"training": "annotations"}}
    row = annotated(tmp_path, "late", "early", "late")
    check(row, **asked, profile={"readouts": ["fraction_late"]})
    with pytest.raises(BadConfig, match="write 'fraction_late'"):
        check(row, **asked, profile={"readouts": ["fraction_lat"]})
    with pytest.raises(BadConfig, match="no annotations for the plate P"):
        check({}, **asked)
    with pytest.raises(BadConfig, match="one class, 'late'"):
        check(annotated(tmp_path, "late"), **asked)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"classify": {"training": "controls", "positive": "a", "negative": "a"}}, "two classes"),
        ({"channels": {"dna": {"source": "1"}, "gfp": {"source": "1"}}}, "a source of its own"),
        (
            {
                "channels": {"dna": {"source": "1"}, "cell_dna": {"source": "2"}},
                "segment": {"nuclei": {"channel": "dna", "engine": "classical"}},
            },
            "the column 'cell_dna_mean' of two channels",
        ),
        (
            {"measure": {"ratios": {"area_um2": RATIO}}},
            "rename it, for example to 'area_um2_ratio'",
        ),
        ({"layouts": {"mine": {"pattern": "(?P<wel>.*)"}}}, "the group 'well'"),
    ],
)  # fmt: skip
def test_names_that_would_be_taken_for_each_other_are_refused(
    sections: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadConfig, match=said):
        check({}, **sections)
