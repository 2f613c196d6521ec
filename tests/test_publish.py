"""Files are there whole or not at all, also when twins write them at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pandas as pd
import pytest

from cellpipe.files.publish import publish_table, publish_text, published


def test_a_file_appears_whole_and_alone(tmp_path):
    publish_text(tmp_path / "new folder" / "a.json", "ü")
    assert (tmp_path / "new folder" / "a.json").read_text(encoding="utf-8") == "ü"
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["a.json"]


def cut_short(path: Path) -> None:
    with published(path) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt


def test_what_is_cut_short_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    publish_text(path, "old")
    with pytest.raises(KeyboardInterrupt):
        cut_short(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "ctc"
    for name in ("old", "new"):
        with published(path) as aside:
            aside.mkdir()
            (aside / name).touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["ctc"]


def test_the_suffix_is_kept_because_writers_choose_formats_by_it(tmp_path):
    with published(tmp_path / "a.parquet") as aside:
        assert aside.suffix == ".parquet"
        aside.touch()


@pytest.mark.parametrize("suffix", ["tsv", "parquet"])
def test_tables_come_back(tmp_path, suffix):
    table = pd.DataFrame({"well": ["B02", 'it\'s; "x"'], "n": [1, 2]})
    path = tmp_path / f"a.{suffix}"
    publish_table(path, table)
    read = pd.read_csv(path, sep="\t") if suffix == "tsv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(read, table)


def write_folder(path: Path, n: int) -> None:
    for _ in range(20):
        with published(path) as aside:
            aside.mkdir()
            for name in "abc":
                (aside / name).write_text(str(n))


def test_twins_do_not_mix_their_folders(tmp_path):
    path = tmp_path / "ctc"
    context = multiprocessing.get_context("fork")
    twins = [context.Process(target=write_folder, args=(path, n)) for n in range(3)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert [twin.exitcode for twin in twins] == [0, 0, 0]
    assert len({(path / name).read_text() for name in "abc"}) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["ctc"]
