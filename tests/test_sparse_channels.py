"""Channels that were taken at some time points only: no zeros, nothing else lost, and named.

        t 0 1 2 3 4 5 6 7
dna       ■ ■ ■ ■ ■ ■ ■ ■
spots     ■ · · · ■ · · ·      columns of spots are empty at 1, 2, 3, 5, 6, 7
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_plate import inspected, laid_out
from made_czi import Block, document, write_czi
from running import MOVIE, Run, with_changes
from scipy import ndimage

from cellpipe import open_plate
from cellpipe.config.inspected import lost_to_segmentation, refuse_by_inspection
from cellpipe.correct.light import ChannelLight, Light
from cellpipe.errors import BadConfig, BadImage
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.measure.columns import STANDARD
from cellpipe.plate.lay_out import write_provenance
from cellpipe.readers.accounting import holes, sparse
from cellpipe.readers.accounting.holes import stack_sizes
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.inspection import inspect_planes
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.readers.manifest import list_planes, read_header_below
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.units.scales import time_step
from cellpipe.run.frames.ingest import Frame, figures_of_taken, in_place
from cellpipe.run.frames.measure import measure_frame
from cellpipe.run.frames.project import project_frame
from cellpipe.run.frames.segment import refuse_absent
from cellpipe.run.plates.classify import without_sparse
from cellpipe.run.plates.light import read_small, together
from cellpipe.track.detections import from_table
from cellpipe.training.plates import PlateSet, list_frames

EVERY_4TH = (0, 4)
STACKS = MOVIE["layouts"]["drawn"]["pattern"].replace(r"\.tif", r"_z(?P<z>\d)\.tif")


def planes(taken, n_fields=2, n_t=8, lost=()) -> pd.DataFrame:
    """Listed planes: "dna" at every frame, "spots" at those `taken`, but for those lost."""
    rows = [
        ("B02", field, t, channel, 0)
        for field in range(1, n_fields + 1)
        for t in range(n_t)
        for channel in ("dna", "spots")
        if channel == "dna" or t in taken
    ]
    rows = [row for row in rows if row[1:4] not in lost]
    return pd.DataFrame(rows, columns=["well", "field", "t", "channel", "z"])


# ---- by plan, or lost


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        ((0,), "the first"),
        ((7,), "the last"),
        ((0, 7), "the first and the last"),
        ((0, 2, 4, 6), "every 2nd"),
        ((0, 3, 6), "every 3rd"),
        ((0, 4), "every 4th"),
    ],
)
def test_frames_that_microscopes_offer_are_a_plan_in_a_single_field(taken, words):
    table = planes(taken, n_fields=1)
    absent = sparse.not_taken(table, ["dna", "spots"])
    assert absent == {"spots": [t for t in range(8) if t not in taken]}
    (sentence,) = sparse.sentences(absent, 8)
    assert f"'spots' was taken at {len(taken)} of 8 frames ({words})" in sentence
    assert "lost" not in sentence


@pytest.mark.parametrize("taken", [(0, 1, 2, 4, 5, 6, 7), (0, 1, 2), (1, 5), (0, 4, 6)])
def test_other_frames_of_one_or_two_fields_were_lost_and_of_three_were_not_taken(taken):
    for n_fields in (1, 2):
        assert sparse.not_taken(planes(taken, n_fields), ["dna", "spots"]) == {}
    absent = sparse.not_taken(planes(taken, 3), ["dna", "spots"])
    assert absent == {"spots": [t for t in range(8) if t not in taken]}
    (sentence,) = sparse.sentences(absent, 8)
    assert "check that no files were lost" in sentence


def test_a_plan_is_recognised_in_a_single_movie_that_lost_one_of_its_planes():
    table = planes(range(0, 20, 4), n_fields=1, n_t=20, lost=[(1, 8, "spots")])
    absent = sparse.not_taken(table, ["dna", "spots"])
    assert absent == {"spots": [t for t in range(20) if t % 4]}
    channels, n_t = ["dna", "spots"], holes.expected_frames(table)
    found = holes.missing_planes(table, channels, n_t, stack_sizes(table), absent)
    assert [(h["t"], h["channel"]) for h in found] == [(8, "spots")]


def test_random_losses_of_planned_planes_are_holes_and_nothing_else_is():
    rng = np.random.default_rng(5)
    for _ in range(60):
        n_fields, n_t, n = rng.integers(3, 8), rng.integers(6, 30), rng.integers(2, 6)
        plan = range(0, n_t, n)
        every = [(f, t, "spots") for f in range(1, n_fields + 1) for t in plan]
        at = rng.choice(len(every), int(rng.integers(0, 3)), replace=False)
        lost = [every[k] for k in at]
        table = planes(plan, n_fields, n_t, lost)
        absent = sparse.not_taken(table, ["dna", "spots"])
        assert absent == {"spots": [t for t in range(n_t) if t % n]}
        frames = holes.expected_frames(table)
        found = holes.missing_planes(table, ["dna", "spots"], frames, stack_sizes(table), absent)
        assert [(h["field"], h["t"], h["channel"]) for h in found] == sorted(lost)


def test_a_plane_that_a_field_lacks_at_a_frame_of_the_plan_is_a_hole():
    table = planes(EVERY_4TH, n_fields=4, lost=[(2, 4, "spots"), (3, 1, "dna")])
    absent = sparse.not_taken(table, ["dna", "spots"])
    assert absent == {"spots": [1, 2, 3, 5, 6, 7]}
    found = holes.missing_planes(
        table, ["dna", "spots"], holes.expected_frames(table), stack_sizes(table), absent
    )
    assert [(h["field"], h["t"], h["channel"]) for h in found] == [(2, 4, "spots"), (3, 1, "dna")]


def test_a_frame_that_some_fields_have_and_an_acquisition_that_was_stopped_are_no_plan():
    some = planes((0, 1, 2, 3, 4, 5, 6), n_fields=4, lost=[(f, 6, "spots") for f in (1, 2, 3)])
    assert sparse.not_taken(some, ["dna", "spots"]) == {"spots": [7]}
    late = [(f, 7, c) for f in (2, 3, 4) for c in ("dna", "spots")]
    stopped = planes(range(7), n_fields=4, lost=late)  # t 7: dna of one field alone
    assert sparse.not_taken(stopped, ["dna", "spots"]) == {}
    assert sparse.not_taken(planes(range(8)), ["dna", "spots"]) == {}


def test_inspect_reports_the_plan_and_no_hole(tmp_path):
    for t in range(1, 5):
        for name in ("s1_w1", "s2_w1", *(("s1_w2", "s2_w2") if t == 1 else ())):
            path = tmp_path / f"TimePoint_{t}" / f"P_B02_{name}.tif"
            path.parent.mkdir(exist_ok=True)
            tifffile.imwrite(path, np.zeros((8, 12), np.uint16))
    (found,) = find_plates(tmp_path)
    seen = inspect_plate(found)
    assert seen.holes == []
    assert any("'2' was taken at 1 of 4 frames (the first)" in note for note in seen.notes)
    (tmp_path / "TimePoint_3/P_B02_s2_w1.tif").unlink()
    (found,) = find_plates(tmp_path)
    assert [(h["field"], h["t"], h["channel"]) for h in inspect_plate(found).holes] == [(2, 2, "1")]


def test_what_sizes_in_the_metadata_count_and_no_file_holds_was_not_taken(tmp_path):
    """A .czi of five planes in z of DAPI, and one of GFP at the first of three times."""
    rng = np.random.default_rng(2)
    places = [{"T": t, "Z": z, "C": 0} for t in range(3) for z in range(5)]
    places.append({"T": 0, "Z": 2, "C": 1})
    blocks = [Block(rng.integers(0, 99, (32, 40)).astype(np.uint16), at) for at in places]
    write_czi(tmp_path / "WellB03.czi", blocks, document(channels=("DAPI", "GFP")))
    channels = {"dna": {"source": "DAPI"}, "gfp": {"source": "GFP"}}
    options = {"pixel_size_um": None, "time_step_s": None, "keep_stack": False, "plate": "P"}
    listed = list_planes("czi", tmp_path, {})
    read = read_header_below(tmp_path)
    inspection, table = inspect_planes(listed, channels, read=read, **options)
    assert inspection["not_taken"] == {"gfp": [1, 2]}
    assert inspection["holes"] == []
    assert stack_sizes(table) == {"dna": 5, "gfp": 1}
    (found,) = find_plates(tmp_path)
    assert inspect_plate(found).not_taken == {"GFP": [1, 2]}


def test_the_time_step_is_that_of_a_channel_that_was_taken_often():
    table = planes((0,), n_fields=1).replace({"dna": "gfp", "spots": "bf"})  # bf comes first
    table = table.sort_values(["t", "channel"]).assign(
        path=lambda rows: rows["t"].astype(str), page=-1
    )

    def read(path, page):
        return Header((8, 8), "uint16", acquired_s=1000.0 + 60 * int(path))

    found, notes = time_step({("B02", 1): table}, {("B02", 1): read("0", -1)}, read, None)
    assert (found["time_step_s"], notes) == (60.0, [])


# ---- nothing reads zeros


@pytest.fixture
def plate(tmp_path):
    """Two frames of two channels; spots were taken at frame 0 only."""
    shapes = {"B02": [(2, 2, 1, 40, 40)]}
    found = laid_out(tmp_path, {**inspected(shapes), "not_taken": {"gfp": [1]}}, labels=["nuclei"])
    for t, c in ((0, 0), (0, 1), (1, 0)):
        found.write_plane("B02", 1, t, c, 0, np.full((40, 40), 100 * (t + 1) + c, np.uint16))
    return found


def test_pixels_that_were_not_taken_are_refused_and_those_that_were_are_whole(plate):
    assert plate.has_frame("B02", 1, 0)
    assert plate.has_frame("B02", 1, 1)
    assert [plate.channels_at("B02", t) for t in (0, 1)] == [["dna", "gfp"], ["dna"]]
    assert project_frame(plate, "B02", 1, 1).whole().shape == (1, 40, 40)
    with pytest.raises(BadImage, match="'gfp' was not taken at frame 1") as refused:
        project_frame(plate, "B02", 1, 1, ["gfp"])
    assert refused.value.wanted == "a frame at which it was: 0"
    with pytest.raises(BadImage, match="'gfp' was not taken"):
        open_plate(plate.layout.parent).image("B02", 1).channel("gfp")[1].compute()
    shown = open_plate(plate.layout.parent).image("B02", 1)
    assert (shown.channel("gfp")[0].compute() == 101).all()
    assert (shown.channel("dna")[1].compute() == 200).all()


def test_a_plate_of_ours_that_is_read_in_place_has_no_zeros_either(plate, tmp_path):
    source = describe_source(plate.path)
    assert source["fields"][0]["not_taken"] == {"gfp": [1]}
    channels = {"nuclei": {"source": "dna"}, "signal": {"source": "gfp"}}
    given = {"plate": "again", "pixel_size_um": None, "time_step_s": None}
    inspection = inspect_source(source, channels, **given)
    assert inspection["not_taken"] == {"signal": [1]}
    assert "'signal' was taken at 1 of 2 frames (the first)" in inspection["notes"][0]
    again = laid_out(tmp_path / "again", inspection, labels=["nuclei"])
    assert again.in_place
    assert in_place(again, "B02", 1, 1).pixels.shape == (1, 1, 40, 40)
    assert (in_place(again, "B02", 1, 0).pixels[1] == 101).all()
    with pytest.raises(BadImage, match="'signal' was not taken at frame 1"):
        project_frame(again, "B02", 1, 1, ["signal"])
    write_provenance(plate.layout, {("B02", 1): {"pixels": {"fingerprint": "x"}}})
    assert describe_source(plate.path)["fields"][0]["not_taken"] == {"gfp": [1]}
    laid_out(plate.layout.parent, inspected({"B02": [(2, 2, 1, 40, 40)]}), labels=["nuclei"])
    assert "not_taken" not in describe_source(plate.path)["fields"][0]


def test_a_network_is_not_trained_on_what_was_not_taken(plate):
    for t in (0, 1):
        plate.write_labels("B02", 1, t, "nuclei", np.ones((40, 40), np.uint32))
    root, name = plate.path.parent, plate.path.name

    def frames(*channels):
        known = {"name": "s", "plate": name, "label": "nuclei", "licence": "CC0"}
        return list(list_frames(PlateSet(channels=channels, **known), root)["file"])

    assert frames("dna") == ["B02_1_t0", "B02_1_t1"]
    assert frames("dna", "gfp") == ["B02_1_t0"]


def test_the_light_of_a_channel_is_found_from_frames_that_have_it(plate):
    assert together(plate) == [["dna"], ["gfp"]]
    frames = [("B02", 1, 0), ("B02", 1, 1)]
    assert list(read_small(plate, frames, ["gfp"])) == frames[:1]
    assert list(read_small(plate, frames, ["dna"])) == frames


def test_figures_and_measurements_of_what_was_not_taken_are_empty():
    rng = np.random.default_rng(1)
    pixels = rng.integers(90, 200, (2, 1, 40, 40)).astype(np.uint16)
    both = figures_of_taken(Frame(pixels, {}), ["dna", "gfp"], ["dna", "gfp"])
    one = figures_of_taken(Frame(pixels[:1], {}), ["dna"], ["dna", "gfp"])
    assert list(one) == list(both)
    assert (one.dtypes == both.dtypes).all()
    empty = [name for name in one if name.startswith("gfp_")]
    assert one[empty].isna().all(axis=None)
    assert one["dna_mean"].item() == both["dna_mean"].item()

    labels = np.zeros((40, 40), np.uint32)
    labels[5:15, 5:15], labels[20:30, 20:34] = 1, 2
    cells = np.where(labels > 0, labels, 0).astype(np.uint32)
    ratios = {"both": {"numerator": "gfp_mean", "denominator": "dna_mean"}}
    ratios["one"] = {"numerator": "dna_max", "denominator": "dna_mean"}
    options = {**STANDARD, "ratios": ratios, "subtract_background": True}
    light = Light({"gfp": ChannelLight("gfp", gain=[2.0], offset=[0.0])})
    known = ["dna", "gfp"], 0.5, options
    whole = measure_frame(labels, cells, pixels[:, 0], *known, light=light)
    part = measure_frame(labels, cells, pixels[:1, 0], *known, light=light, absent=["gfp"])
    assert list(part) == list(whole)
    lost = [name for name in whole if "gfp" in name or name == "both"]
    assert len(lost) == 17
    assert part[lost].isna().all(axis=None)
    pd.testing.assert_frame_equal(part.drop(columns=lost), whole.drop(columns=lost))


def test_classifier_and_linker_use_what_every_frame_has():
    cells = pd.DataFrame(
        {
            "t": [0, 0, 1, 1],
            "label": [1, 2, 1, 2],
            "y_um": [1.0, 9.0, 1.0, 9.0],
            "x_um": 0.0,
            "area_um2": [5.0, 7.0, 5.0, 7.0],
            "dna_mean": 3.0,
            "spots_mean": [4.0, 8.0, np.nan, np.nan],
            "both": [4.0, 8.0, np.nan, np.nan],
        }
    )
    kept, unused = without_sparse(cells, {"spots": [1]})
    assert unused == ["spots_mean", "both"]
    assert list(kept) == ["t", "label", "y_um", "x_um", "area_um2", "dna_mean"]
    assert without_sparse(cells, {})[1] == []
    assert from_table(cells)[0].features.shape == (4, 2)


@pytest.mark.parametrize(("taken", "refused"), [((0, 4), True), ((0, 3), False), ((0,), False)])
def test_spots_that_could_not_be_linked_are_refused_before_any_of_them_is_sought(taken, refused):
    absent = {"spots": [t for t in range(8) if t not in taken]}
    plate = {"channels": ["dna", "spots"], "pixel_size_um": 0.5, "not_taken": absent}
    plate["fields"] = [{"shape": [8, 2, 1, 200, 200], "n_t": 8}]
    detect = {"channel": "spots", "engine": "log", "diameter_um": 2.0, "max_gap_frames": 2}
    refuse_by_inspection({"detect": {**detect, "track": False}}, plate)
    if not refused:
        return refuse_by_inspection({"detect": {**detect, "track": True}}, plate)
    with pytest.raises(BadConfig, match="3 frames or more between") as fault:
        refuse_by_inspection({"detect": {**detect, "track": True}}, plate)
    assert "set 'detect.max_gap_frames' to 3" in fault.value.do


@pytest.mark.parametrize(
    ("part", "there", "do"),
    [
        ("cells", ["dna"], "set 'segment.cells.method' to ring"),
        ("nuclei", ["gfp"], "nothing, if the microscope was set so"),
        ("", ["dna", "gfp"], ""),
    ],
)
def test_a_frame_without_what_segmentation_needs_names_a_remedy(part, there, do):
    nuclei, cells = ({"channel": c, "extra_channels": []} for c in ("dna", "gfp"))
    segment = {"objects": "nuclei", "nuclei": nuclei, "cells": cells | {"method": "grow"}}
    if not part:
        return refuse_absent(segment, there, "B02 field 1 frame 3")
    with pytest.raises(BadImage, match=r"was not taken \(B02 field 1 frame 3\)") as fault:
        refuse_absent(segment, there, "B02 field 1 frame 3")
    assert f"'segment.{part}'" in fault.value.wanted
    assert fault.value.do.startswith(do)
    ring = segment | {"cells": cells | {"method": "ring"}}
    if part == "cells":
        refuse_absent(ring, there, "B02 field 1 frame 3")


def test_what_segmentation_loses_by_a_sparse_channel_is_said_at_the_start():
    nuclei, cells = ({"channel": c, "extra_channels": []} for c in ("dna", "gfp"))
    config = {"segment": {"nuclei": nuclei, "cells": cells | {"method": "grow"}},
              "stitch": {"method": "off", "channel": None},
              "detect": {"channel": None}}  # fmt: skip
    fields = [{"well": well, "n_t": 4} for well in ("B02", "B03", "B03")]
    plan = {"not_taken": {"gfp": [1, 3]}, "lacking": {"gfp": ["B02"]}, "fields": fields}
    (sentence,) = lost_to_segmentation(config, plan)
    assert "2 of 4 frames and all frames of 1 of 2 wells lack it" in sentence
    assert sentence.endswith("set 'segment.cells.method' to ring to keep them")
    assert list(lost_to_segmentation(config, {"fields": fields})) == []


# ---- the whole workflow


def test_a_movie_whose_spots_were_taken_at_every_4th_frame_keeps_all_frames(tmp_path):
    """Stacks of two planes of dna, one plane of spots at every 4th frame."""
    run = Run.drawn(tmp_path, "movie", {})
    rng = np.random.default_rng(3)
    for path in sorted((tmp_path / "images").glob("*_w1.tif")):
        sharp = tifffile.imread(path)
        tifffile.imwrite(path.with_name(f"{path.stem}_z2.tif"), ndimage.gaussian_filter(sharp, 3))
        path.rename(path.with_name(f"{path.stem}_z1.tif"))
        if path.stem[-6:-3] in ("001", "005"):
            light = np.zeros(sharp.shape)
            light[rng.integers(10, 180, 60), rng.integers(10, 180, 60)] = 4000
            image = rng.poisson(100 + ndimage.gaussian_filter(light, 1.2)).astype(np.uint16)
            tifffile.imwrite(path.with_name(f"{path.stem[:-1]}2_z1.tif"), image)
    more = {
        "channels": {"spots": {"source": "2"}},
        "layouts": {"drawn": {"pattern": STACKS}},
        "project": {"method": "best_focus"},
        "correct": {"method": "auto", "over_time": "auto"},
        "detect": {"channel": "spots", "engine": "log", "diameter_um": 2.0},
        "profile": {"readouts": ["area_um2", "spots_mean", "spot_count", "spots_per_field"]},
    }
    run.config = with_changes(MOVIE, more)
    said = run.run("results/P/verified.tsv", "results/P/report.html")
    assert "'spots' was taken at 2 of 8 frames (every 4th) in all fields" in said
    inspection = json.loads((run.plate / "inspection.json").read_text())
    assert inspection["holes"] == []
    assert inspection["not_taken"] == {"spots": [1, 2, 3, 5, 6, 7]}
    quarantine = pd.read_csv(run.plate / "quarantine.tsv", sep="\t")
    assert quarantine.empty
    warnings = pd.read_csv(run.plate / "warnings.tsv", sep="\t")
    assert warnings["seen"].str.contains("every 4th").any()
    assert "channel spots" in (run.plate / "report.html").read_text()

    table = open_plate(run.plate).table
    cells, fields, wells = table("cells"), table("fields"), table("wells")
    assert set(cells["t"]) == set(range(8))
    here = cells["t"].isin(EVERY_4TH)
    for name in ("spots_mean", "spots_saturated", "spot_count"):
        assert cells.loc[here, name].notna().all()
        assert cells.loc[~here, name].isna().all()
    assert cells["dna_mean"].notna().all()
    assert (cells["class"] != "").all()
    taken = fields["t"].isin(EVERY_4TH)
    assert fields.loc[~taken, "spots_mean"].isna().all()
    assert fields["dna_n_z"].eq(2).all()
    assert fields["dna_z"].eq(1).all()
    assert fields.loc[taken, "spots_background"].between(70, 110).all()
    assert wells["spots_mean"].between(0.1, 100).all()  # above the background
    assert wells["spots_per_field"].gt(10).all()
    assert not wells["incomplete"].any()
    assert wells["spots_incomplete_reason"].fillna("").eq("").all()
    importance = pd.read_csv(run.plate / "classifier/importance.tsv", sep="\t")
    assert not importance["feature"].str.contains("spots").any()
    assert pd.read_csv(run.plate / "verified.tsv", sep="\t").empty
