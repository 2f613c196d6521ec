"""Two runs of one plate at once, and what either may find half done by the other.

A kill of the controller leaves jobs on a cluster alive, and the next run starts them again. What
is not there *yet*, or not there *any more*, is never taken for what was left out on purpose.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import in_process
import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from running import MOVIE, Run
from running import digests as digests_of

from cellpipe.errors import CellpipeError
from cellpipe.files import asides, digests
from cellpipe.files.asides import aside_of, is_aside, remove_leftovers
from cellpipe.files.publish import publish_text, published
from cellpipe.plate import disk
from cellpipe.plate.plate import Plate
from cellpipe.run.not_made import read_not_made

CTC = "results/P/ctc"
FIELDS = {"B02": [(2, 1, 1, 64, 64)]}


def finish(run: Run, *targets: str) -> tuple[int, str]:
    return in_process.run_forked(run.command(*targets), run.folder)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run.drawn(tmp_path_factory.mktemp("movie") / "run", "movie", MOVIE, size="tiny")
    code, printed = finish(run, CTC)
    assert code == 0, printed
    return run


@pytest.fixture
def run(movie: Run, tmp_path: Path) -> Run:
    return movie.copied(tmp_path / "run")


def a_chunk(run: Run, t: int) -> Path:
    """The chunk of the labels of a frame of the first movie."""
    plate = Plate(run.plate / "layout.json")
    (where, *_) = plate.fields.values()
    path = plate.path / where.path / f"labels/nuclei/0/c/{t}/0/0/0"
    assert path.is_file(), sorted(path.parents[3].rglob("*"))
    return path


def test_a_folder_that_a_twin_has_emptied_is_made_again(run: Run, movie: Run) -> None:
    """One run empties a folder, as Snakemake does before a rule, while the other stamps it."""
    shutil.rmtree(run.plate / "ctc")
    (run.plate / "ctc").mkdir()
    (run.plate / "ctc/.snakemake_timestamp").touch()
    code, printed = finish(run, CTC)
    assert code == 0, printed
    assert digests_of(run.plate, ("ctc/**/*",)) == digests_of(movie.plate, ("ctc/**/*",))
    code, printed = finish(run, CTC)
    assert "Nothing to be done" in printed


def test_labels_that_are_not_there_are_no_frame_without_cells(run: Run) -> None:
    """A frame of which no cell is tracked: its mask was blank, with not a word."""
    a_chunk(run, 1).unlink()
    cells = pd.read_parquet(run.plate / "cells.parquet")
    cells.loc[cells["t"] == 1, "track_id"] = 0
    cells.to_parquet(run.plate / "cells.parquet")
    code, printed = finish(run, CTC)
    assert code == 0, printed
    named = read_not_made([run.plate / "not_made/export_ctc.json"])
    assert named["reason"].str.contains("missing chunk").tolist() == [True], named


def test_tracks_of_labels_that_are_not_there_stop_in_words(run: Run) -> None:
    chunk = a_chunk(run, 1)
    chunk.unlink()
    for path in (run.plate / "blocks/track").iterdir():
        path.unlink()
    code, printed = finish(run, "results/P/blocks/track/0000.parquet")
    assert code == 1
    assert str(chunk.relative_to(run.folder)) in printed
    assert "--mend" in printed


def test_a_twin_that_lays_out_late_leaves_the_chunks_of_the_first(tmp_path, monkeypatch) -> None:
    """It has read that there is no array; the other makes it, and fills it; then it goes on."""
    read, labels = disk._read_json, np.ones((64, 64), np.uint32)

    def late(path: Path) -> dict:
        there = read(path)
        if not there and path.parent.parent.name == "nuclei":
            monkeypatch.setattr(disk, "_read_json", read)
            first = laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
            first.write_labels("B02", 1, 0, "nuclei", labels)
        return there

    monkeypatch.setattr(disk, "_read_json", late)
    plate = laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
    np.testing.assert_array_equal(plate.read_labels("B02", 1, 0, "nuclei"), labels)


def test_chunks_without_their_array_are_not_taken_over(tmp_path) -> None:
    plate = laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
    plate.write_labels("B02", 1, 0, "nuclei", np.ones((64, 64), np.uint32))
    (plate.path / "B/02/1/labels/nuclei/0/zarr.json").unlink()
    plate = laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
    assert not plate.has_frame("B02", 1, 0, "nuclei")


def test_metadata_that_a_killed_job_left_aside_go(tmp_path, monkeypatch) -> None:
    plate = laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
    with monkeypatch.context() as dead:
        dead.setattr(asides, "_own_start", lambda pid: 1)
        left = [aside_of(path) for path in plate.path.rglob("zarr.json")]
    for path in plate.path.rglob("zarr.json"):
        path.unlink()
    for path in left:
        path.touch()
    laid_out(tmp_path, inspected(FIELDS), labels=["nuclei"])
    assert len(left) > 5
    assert not [path for path in plate.path.rglob(".*") if is_aside(path)]


def test_a_link_is_never_gone_while_it_is_laid_out_again(tmp_path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link, owned = tmp_path / "owned/0", tmp_path / "owned"
    owned.mkdir()
    link.symlink_to(tmp_path / "old")
    disk._link(link, tmp_path / "new", owned)
    assert link.resolve() == tmp_path / "new"
    disk._link(link, tmp_path / "new", owned)  # as a twin would a moment later
    assert [path.name for path in owned.iterdir()] == ["0"]


def taken_away(path: Path) -> None:
    with published(path) as aside:
        aside.mkdir()
        publish_text(aside / "first/mask000.tif", "")
        shutil.rmtree(aside)  # by another machine, to which it seemed old
        publish_text(aside / "second/mask000.tif", "")


def test_a_folder_that_is_taken_from_under_a_job_is_not_published_in_part(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        taken_away(tmp_path / "ctc")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_cannot_be_asked_for_is_taken_to_live(tmp_path, monkeypatch) -> None:
    path = aside_of(tmp_path / "cells.parquet")
    path.touch()

    def too_many(self: Path, *args: object, **options: object) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", too_many)
        assert remove_leftovers(tmp_path) == 0
    assert path.exists()


def test_the_last_record_is_of_the_files_that_are_there(tmp_path, monkeypatch) -> None:
    """A twin writes the file, and its record of it, between the reading and the record of this."""
    table, publish = tmp_path / "0000.parquet", digests.publish_text
    publish_text(table, "of the first, 1.2 s")

    def late(path: Path, text: str, **options: bool) -> None:
        monkeypatch.setattr(digests, "publish_text", publish)
        publish_text(table, "of the second, 1.3 s")
        digests.write_record(tmp_path, "segment_block", "0000", [table])
        publish(path, text, **options)

    monkeypatch.setattr(digests, "publish_text", late)
    digests.write_record(tmp_path, "segment_block", "0000", [table])
    record = digests.read_record(tmp_path, "segment_block", "0000")
    assert record is not None
    assert record.files == {"0000.parquet": digests.file_digest(table)}


def test_an_output_that_a_twin_took_away_is_not_recorded(tmp_path) -> None:
    (tmp_path / "not_made.json").touch()
    with pytest.raises(CellpipeError, match="ctc"):
        digests.write_record(
            tmp_path, "export_ctc", None, [tmp_path / "ctc", tmp_path / "not_made.json"]
        )
    assert not (tmp_path / "digests").exists()
