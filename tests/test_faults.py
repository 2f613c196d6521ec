"""Faults that are planted in a finished plate are found, each at its place, and mended."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from small_plate import SIDE, Small

from cellpipe.errors import BadImage
from cellpipe.files import digests
from cellpipe.files.asides import aside_of
from cellpipe.plate.chunks import MEND
from cellpipe.plate.metadata_record import (
    metadata_faults,
    metadata_faults_but_provenance,
    note_metadata,
)
from cellpipe.plate.plate import Plate
from cellpipe.run import mend
from cellpipe.run.blocks import Unit
from cellpipe.run.faults import find_faults
from cellpipe.run.frames.project import project_frame
from cellpipe.run.kept import units_to_keep
from cellpipe.run.receipts import (
    Frame,
    Receipt,
    read_receipts,
    write_receipts,
)

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "studies/faults"))

from plant_faults import Planter, reported  # noqa: E402
from test_in_place import draw_source, laid_out_beside  # noqa: E402


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
            project_frame(small.plate, "B02", 1, 0).whole()
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
