"""Faults that are planted in a finished plate are found, each at its place, and mended.

The stages here are as small as can be: ingest copies a file, segmentation is a threshold, tracks
keep the labels, the table of cells lists them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_plate import inspected

from cellpipe.errors import BadImage
from cellpipe.files import digests
from cellpipe.files.asides import aside_of
from cellpipe.files.publish import publish_table
from cellpipe.plate.chunks import MEND
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.metadata_record import (
    metadata_faults,
    metadata_faults_but_provenance,
    note_metadata,
)
from cellpipe.plate.plate import Plate
from cellpipe.run import mend
from cellpipe.run.blocks import Unit
from cellpipe.run.faults import find_faults
from cellpipe.run.kept import units_to_keep
from cellpipe.run.receipts import (
    Frame,
    Receipt,
    read_receipts,
    read_rows,
    receipts_of,
    write_receipts,
)
from cellpipe.run.stream import Work, run_block

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "studies"))

from plant_faults import Planter, reported  # noqa: E402
from test_in_place import draw_source, laid_out_beside  # noqa: E402

UNITS = [Unit(well, 1, t, t + 1) for well in ("B02", "B03") for t in (0, 1)]
SIDE = 300  # two levels


class Small:
    """A plate in a folder, made by stages that skip what is there, as the workflow does."""

    def __init__(self, folder: Path) -> None:
        self.images, self.root = folder / "images", folder / "results/P"
        self.computed: list[str] = []

    def draw(self) -> None:
        self.images.mkdir(parents=True)
        rng = np.random.default_rng(1)
        rows = []
        for unit in UNITS:
            name = f"{unit.well}_{unit.t_start}.tif"
            image = rng.poisson(100, (2, SIDE, SIDE)).astype(np.uint16)
            image[:, 40:60, 40:60] += 500
            image[:, 200:230, 100 + 10 * unit.t_start : 150] += 800
            tifffile.imwrite(self.images / name, image)
            place = {"well": unit.well, "field": unit.field, "t": unit.t_start}
            rows += [{"path": name, "page": page, **place} for page in (0, 1)]
        publish_table(self.root / "manifest.parquet", pd.DataFrame(rows))
        self.record("inspect_plate", None, ["manifest.parquet"])

    def make(self) -> None:
        """All that is not there."""
        if not (self.root / "layout.json").exists():
            plan = inspected({w: [(2, 2, 1, SIDE, SIDE)] for w in ("B02", "B03")}, plate="P")
            layers, layout = ["nuclei", "tracks"], self.root / "layout.json"
            lay_out(layout, plan, colors=["FFFFFF"] * 2, labels=layers)
            note_metadata(Plate(layout))
            self.record("lay_out_plate", None, ["layout.json"])
        self.plate = Plate(self.root / "layout.json")
        self.stage("ingest", self.read_image, self.write_pixels, "pixels")
        self.stage("segment", self.read_pixels, self.write_labels, "nuclei")
        self.track()
        rows = read_rows([self.root / "blocks/segment/0000.parquet"])
        self.table("gather_plate", "cells.parquet", rows.drop(columns="fingerprint"))
        self.table("profile_plate", "statistics.tsv", rows.groupby("well").size().reset_index())
        self.table("export_geff", "geff.tsv", rows[["well"]].drop_duplicates(), ["P_B02_1.geff"])

    def stage(self, name, read, write, layer) -> None:
        table = self.root / f"blocks/{name}/0000.parquet"
        of_layer = None if layer == "pixels" else layer
        work = Work(
            key=lambda unit: f"{name} {unit.name}",
            frames=lambda unit: [unit.t_start],
            read=read,
            compute=lambda unit, t, pixels: pixels,
            write=write,
            erase=lambda unit, t: self.plate.erase_frame(unit.well, unit.field, t, of_layer),
            there=lambda unit, t: self.plate.has_frame(unit.well, unit.field, t, of_layer),
            stored=lambda unit, t: {
                layer: self.plate.stored_digest(unit.well, unit.field, t, of_layer)
            },
        )
        if not table.exists():
            receipts = self.root / "receipts" / name
            keep = units_to_keep(self.root)
            run_block(UNITS, work, receipts=receipts, table=table, keep=keep)
            self.record(f"{name}_block", "0000", [f"blocks/{name}/0000.parquet"])

    def read_image(self, unit, t):
        try:
            return tifffile.imread(self.images / f"{unit.well}_{t}.tif")
        except FileNotFoundError as gone:
            raise BadImage(seen=str(gone), wanted="an image", do="copy it again") from gone

    def write_pixels(self, unit, t, image):
        self.computed.append(f"ingest {unit.name}")
        for c, plane in enumerate(image):
            self.plate.write_plane(unit.well, unit.field, t, c, 0, plane)
        return pd.DataFrame([{"well": unit.well, "t": t, "mean": float(image.mean())}])

    def read_pixels(self, unit, t):
        return self.plate.read_frame(unit.well, unit.field, t)

    def write_labels(self, unit, t, pixels):
        self.computed.append(f"segment {unit.name}")
        labels = np.where(pixels[0] > 350, 1 + (np.arange(SIDE)[:, None] > 100), 0)
        self.plate.write_labels(unit.well, unit.field, t, "nuclei", labels.astype(np.uint32))
        found = np.unique(labels)[1:].astype(np.uint32)
        place = {"plate": "P", "well": unit.well, "field": unit.field, "t": t}
        return pd.DataFrame({"label": found}).assign(**place)

    def track(self) -> None:
        table = self.root / "blocks/track/0000.parquet"
        if table.exists():
            return
        receipts = []
        for well in ("B02", "B03"):
            frames = []
            for t in (0, 1):
                labels = self.plate.read_labels(well, 1, t, "nuclei")
                self.plate.write_labels(well, 1, t, "tracks", labels + 10 * (labels > 0))
                stored = {"tracks": self.plate.stored_digest(well, 1, t, "tracks")}
                frames.append(Frame(t, stored=stored))
            receipts.append(Receipt(Unit(well, 1, 0, 2), "k", "k", tuple(frames)))
        write_receipts(table, pd.DataFrame({"track_id": [1]}), receipts)
        self.record("track_block", "0000", ["blocks/track/0000.parquet"])

    def table(
        self, rule: str, name: str, rows: pd.DataFrame, also: list[str] | None = None
    ) -> None:
        if (self.root / name).exists():
            return
        publish_table(self.root / name, rows)
        for folder in also or []:
            (self.root / folder / "nodes").mkdir(parents=True, exist_ok=True)
            (self.root / folder / "nodes/0").write_bytes(bytes(range(200)))
        self.record(rule, None, [name], also)

    def record(self, rule, block, outputs, also=None) -> None:
        paths = [self.root / name for name in outputs]
        more = [self.root / name for name in also or []]
        more += receipts_of(self.root, paths)
        digests.write_record(self.root, rule, block, paths, more)

    def state(self) -> dict[str, str]:
        """Digests of all that does not hold seconds."""
        paths = [p for p in self.root.rglob("*") if p.is_file()]
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.relative_to(self.root).parts[0] not in ("blocks", "receipts", "digests")
        }

    def mend(self) -> mend.Plan:
        """As the command does: metadata first, then what is to be made again."""
        found = find_faults(self.root)
        first = mend.plan_mending(self.root, found.faults, self.images)
        mend.put_metadata_back(self.root, first)
        plan = mend.plan_mending(self.root, find_faults(self.root).faults, self.images)
        mend.carry_out(self.root, plan)
        self.computed.clear()
        self.make()
        return plan


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    made = Small(folder)
    made.draw()
    made.make()
    return folder


@pytest.fixture
def small(finished: Path, tmp_path: Path) -> Small:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    made = Small(tmp_path)
    made.plate = Plate(made.root / "layout.json")
    return made


def faults(small: Small) -> list[str]:
    return [f"{fault.where}: {fault.fault}" for fault in find_faults(small.root).faults]


def test_an_undisturbed_plate_has_no_fault(small):
    found = find_faults(small.root)
    assert found.faults == []
    assert found.notes == []
    assert found.n_frames == 4
    assert found.n_files > 40


N_KINDS = 37


@pytest.mark.parametrize("kind", range(N_KINDS))
def test_a_planted_fault_is_found_and_mended(small, kind):
    whole = small.state()
    planter = Planter(small.root, np.random.default_rng(kind))
    planted = planter.kinds[kind % len(planter.kinds)]()
    if planted is None:  # this plate has nothing of that kind
        pytest.skip("no such thing in this plate")
    found = find_faults(small.root)
    assert planted.is_in(reported(found)), planted
    plan = small.mend()
    assert plan.hopeless == []
    assert faults(small) == []
    assert small.state() == whole
    assert len(small.computed) <= 2 * len(planted.places), "good units were made again"


def test_every_kind_of_fault_is_tried(small):
    assert len(Planter(small.root, np.random.default_rng()).kinds) == N_KINDS


def test_twenty_faults_at_once(small):
    whole = small.state()
    planted = Planter(small.root, np.random.default_rng(4)).plant(20)
    places = reported(find_faults(small.root))
    assert [fault for fault in planted if not fault.is_in(places)] == []
    small.mend()
    assert faults(small) == []
    assert small.state() == whole


def test_labels_of_tracks_whose_digests_are_damaged_are_noted_and_mended(small):
    whole = small.state()
    planter = Planter(small.root, np.random.default_rng(1))
    planted = planter.chunk("tracks", "flip")
    (small.root / "blocks/track/0000.parquet").write_bytes(b"cut")
    found = find_faults(small.root)
    assert planted is not None
    assert planted.is_in(reported(found))
    assert any("labels of tracks can be compared only after" in note for note in found.notes)
    small.mend()
    assert faults(small) == []
    assert small.state() == whole


def test_a_mask_that_lies_among_the_exports_is_noted_and_no_fault(small):
    (small.root / "ctc").mkdir()
    (small.root / "ctc/mask000.tif").write_bytes(b"ours")
    small.record("export_ctc", None, ["ctc"])
    assert find_faults(small.root).notes == []
    (small.root / "ctc/mask999.tif").write_bytes(b"another's")
    found = find_faults(small.root)
    assert found.faults == []
    (note,) = found.notes
    assert "1 file(s) that export_ctc did not write" in note
    assert "mask999.tif" in note


def test_what_a_job_that_was_killed_noted_of_provenance_is_no_edit(small):
    """`verify_plate` notes it anew; any other edit of the same file is one."""
    path = next(small.plate.path.glob("*/*/*/labels/nuclei/zarr.json"))
    content = json.loads(path.read_text())
    content["attributes"]["cellpipe"] = {"fingerprints": ["another"]}
    path.write_text(json.dumps(content))
    assert metadata_faults(small.plate)
    assert metadata_faults_but_provenance(small.plate) == {}
    content["attributes"]["more"] = 1
    path.write_text(json.dumps(content))
    assert list(metadata_faults_but_provenance(small.plate)) == list(metadata_faults(small.plate))


def test_the_remedy_of_the_message_makes_the_label_again_though_its_receipt_stands(small):
    """A label that was changed by another program: its receipt stands, and is not believed."""
    whole = small.state()
    labels = small.plate.read_labels("B02", 1, 0, "nuclei")
    small.plate.write_labels("B02", 1, 0, "nuclei", np.flipud(labels))
    assert ["B02 field 1 frame 0, nuclei" in said for said in faults(small)] == [True]
    (small.root / "blocks/segment/0000.parquet").unlink()
    small.computed.clear()
    small.make()
    assert small.computed == ["segment B02_f1_t0-1"]
    assert small.state() == whole


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def test_what_was_made_from_images_that_are_gone_is_named_and_left_as_it_is(small):
    chunks = [small.plate.path / f"B/0{well}/1/0/c/1/0/0/0/0" for well in (2, 3)]
    for chunk in chunks:
        flip(chunk, 100)
    (small.images / "B02_1.tif").unlink()
    before = {p: h for p, h in small.state().items() if "/B/02/" in p}
    plan = small.mend()
    ((fault, why),) = plan.hopeless
    assert (fault.unit.name, fault.kind) == ("B02_f1_t1-2", "pixels")
    assert "cannot be read" in why
    assert small.computed == ["ingest B03_f1_t1-2"]
    assert ["B02 field 1 frame 1, pixels" in said for said in faults(small)] == [True]
    assert before.items() <= small.state().items()
    receipts = read_receipts(small.root / "blocks/ingest/0000.parquet")
    assert not [receipt for receipt in receipts if receipt.bad_frames]
    # and when the image is back, it is mended
    image = np.random.default_rng(2).poisson(100, (2, SIDE, SIDE)).astype(np.uint16)
    tifffile.imwrite(small.images / "B02_1.tif", image)
    assert small.mend().hopeless == []
    assert small.computed[0] == "ingest B02_f1_t1-2"
    assert faults(small) == []


def test_a_frame_left_out_for_a_damaged_chunk_comes_back_when_that_is_mended(small):
    """The chunk was damaged between two stages: the second left its frame out."""
    whole = small.state()
    flip(small.plate.path / "B/02/1/0/c/0/0/0/0/0", 200)
    for path in ("blocks/segment/0000.parquet", "receipts/segment/B02_f1_t0-1.parquet"):
        (small.root / path).unlink()
    for path in ("cells.parquet", "statistics.tsv", "blocks/track/0000.parquet"):
        (small.root / path).unlink()
    with pytest.raises(BadImage):
        small.make()  # tracks want the labels that are left out now
    (receipt,) = read_receipts(small.root / "receipts/segment/B02_f1_t0-1.parquet")
    assert [frame.remedy for frame in receipt.bad_frames] == [MEND]
    assert "does not match its checksum" in receipt.bad_frames[0].reason
    assert receipt.fingerprint != "segment B02_f1_t0-1"  # what follows is made again
    plan = mend.plan_mending(small.root, find_faults(small.root).faults, small.images)
    mend.carry_out(small.root, plan)
    small.make()
    assert faults(small) == []
    assert small.state() == whole


def test_a_label_layer_that_a_person_adds_is_no_fault(small):
    labels = small.plate.path / "B/02/1/labels"
    (labels / "annotated").mkdir()
    content = json.loads((labels / "zarr.json").read_text())
    content["attributes"]["ome"]["labels"].append("annotated")
    (labels / "zarr.json").write_text(json.dumps(content))
    assert faults(small) == []
    content["attributes"]["ome"]["labels"] = ["annotated", "gone"]
    (labels / "zarr.json").write_text(json.dumps(content))
    assert len(faults(small)) == 1


def test_results_of_an_earlier_version_are_looked_at_as_far_as_can_be(small):
    for path in (small.root / "digests").rglob("*.json"):
        path.unlink()
    assert len(faults(small)) > 5  # records that were lost
    for path in sorted((small.root / "digests").glob("*"), reverse=True):
        path.rmdir()
    (small.root / "digests").rmdir()
    found = find_faults(small.root)
    assert found.faults == []
    assert "earlier version" in found.notes[0]
    flip(small.plate.path / "B/02/1/0/c/0/0/0/0/0", 200)
    assert len(faults(small)) == 1


def test_every_bit_that_is_flipped_in_a_chunk_is_noticed_by_reading(small):
    chunk = small.plate.path / "B/02/1/0/c/0/1/0/0/0"
    whole = chunk.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 60):
        flip(chunk, int(place))
        with pytest.raises(BadImage, match=r"does not match its checksum|cannot be decoded") as bad:
            small.plate.read_frame("B02", 1, 0)
        assert str(chunk) in bad.value.seen
        chunk.write_bytes(whole)


def test_what_a_killed_job_left_aside_is_removed_and_what_is_being_written_stays(small):
    chunk = small.plate.path / "B/02/1/0/c/0/1/0/0/0"
    alive = aside_of(chunk)
    pid = str(os.getpid())
    dead = alive.with_name(alive.name.replace(f"-{pid}-", "-999999999-"))
    for path in (alive, dead):
        path.write_bytes(b"half")
    assert small.plate.remove_leftovers("B02", 1, 0) == 1
    assert alive.exists()
    assert not dead.exists()


def test_a_damaged_plate_that_is_read_in_place_is_named_and_cannot_be_mended(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5", "cyx")
    root = tmp_path / "results/P"
    plate = laid_out_beside(source, root)
    note_metadata(plate)
    digests.write_record(root, "lay_out_plate", None, [root / "layout.json"])
    for well in ("A01", "B12"):
        unit = Unit(well, 1, 0, 1)
        frames = (Frame(0, stored={"pixels": plate.stored_digest(well, 1, 0)}),)
        path = root / f"receipts/ingest/{unit.name}.parquet"
        write_receipts(path, pd.DataFrame({"well": [well]}), [Receipt(unit, "k", "k", frames)])
    assert find_faults(root).faults == []
    chunk = next(path for path in sorted((source / "B/12/0/0/c").rglob("*")) if path.is_file())
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    flip(chunk, len(before[chunk]) // 2)
    faults = find_faults(root).faults
    assert [fault.where for fault in faults] == ["B12 field 1 frame 0, pixels"]
    plan = mend.plan_mending(root, faults, source)
    assert plan.remove == set()
    assert "read in place" in plan.hopeless[0][1]
    mend.carry_out(root, plan)
    assert units_to_keep(root) == {"B12_f1_t0-1"}
    assert {p for p in before if p.read_bytes() != before[p]} == {chunk}


def test_a_link_to_the_images_that_leads_elsewhere_is_put_back(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5", "cyx")
    root = tmp_path / "results/P"
    plate = laid_out_beside(source, root)
    note_metadata(plate)
    digests.write_record(root, "lay_out_plate", None, [root / "layout.json"])
    link = plate.path / "A/01/1/0"
    link.unlink()
    link.symlink_to(source / "B/12/0/0")
    (fault,) = find_faults(root).faults
    assert (fault.kind, fault.path) == ("metadata", "P.ome.zarr/A/01/1/0")
    mend.put_metadata_back(root, mend.plan_mending(root, [fault], source))
    assert link.resolve() == (source / "A/01/0/0").resolve()
    assert find_faults(root).faults == []
