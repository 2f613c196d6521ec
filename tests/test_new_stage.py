"""A stage is four files: the example in docs/developing/stages.md, written into a copy and run.

stages.md ──► checkout/cellpipe/measure/granularity.py, scripts/, rules/, schema
                          └─► a simulated plate, run to the end
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from checkouts import make_checkout
from in_process import run_forked
from running import PLATE, Run, digests, quiet_environment
from skimage.morphology import disk, opening
from worked_examples import pieces_of, section_of, write_pieces

from cellpipe.errors import BadConfig
from cellpipe.image.axes import Image
from cellpipe.plate.plate import Plate
from cellpipe.run.frames.project import project_frame
from cellpipe.run.receipts import read_receipts

SECTION = section_of("stages.md", "A stage")
PIECES = pieces_of(SECTION)
STAGE = "granularity"
COLUMNS = ["granularity_1", "granularity_2", "granularity_3"]
CONFIG: dict[str, Any] = {
    **{key: PLATE[key] for key in ("plates", "seed", "channels", "layouts", "ingest")},
    "segment": {"nuclei": {"channel": "dna", "engine": "classical"}, "cells": {"method": "off"}},
    STAGE: {"channel": "spots"},
    "profile": {"readouts": ["granularity_1", "area_um2"], "hit_readout": "granularity_1"},
}
NAMES = ("cells.parquet", "statistics.tsv", "report.html", "ro-crate-metadata.json", "verified.tsv")
TARGETS = [f"results/P/{name}" for name in NAMES]
Frame = tuple[str, int, int]


class Extended(Run):
    """A run in a copy of the repository that has one stage more."""

    def forked(self, *targets: str, options: tuple[str, ...] = (), **changes: Any) -> str:
        code, printed = self.tried(*targets, options=options, **changes)
        assert code == 0, printed
        return printed

    def tried(
        self, *targets: str, options: tuple[str, ...] = (), **changes: Any
    ) -> tuple[int, str]:
        command = self.command(*targets, options=("--nolock", *options), **changes)
        return run_forked(command, self.folder, checkout=self.workflow)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_demo: Path) -> Extended:
    """The plate, run to the end. Not to be changed but by the last test."""
    folder = tmp_path_factory.mktemp("new_stage")
    checkout = make_checkout(folder / "checkout", small_demo)
    write_pieces(checkout, PIECES)
    shutil.copytree(small_demo / "plate", folder / "run")
    sheet = {"plate": "P", "images": "images", "layout": "drawn", "plate_map": "plate_map.tsv"}
    lines = ["\t".join(sheet), "\t".join(sheet.values())]
    (folder / "run/plates.tsv").write_text("\n".join(lines) + "\n")
    run = Extended(folder / "run", CONFIG, workflow=checkout)
    run.forked(*TARGETS)
    return run


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The stage's module as the text has it."""
    text = next(text for name, _, text in PIECES if name.startswith("cellpipe/"))
    made = ModuleType("granularity")
    exec(compile(text, "granularity.py", "exec"), made.__dict__)
    return made


def test_the_text_writes_four_files_and_names_no_other() -> None:
    assert len(PIECES) == 4
    assert SECTION.count("```") == 8
    outside = re.sub(r"```.*?```", "", SECTION, flags=re.S)
    named = set(re.findall(r"`(\w+/[\w/]+\.\w+)`", outside)) - {name for name, _, _ in PIECES}
    assert named == {"tests/test_new_stage.py", "cellpipe/config/stages.py"}


def test_the_example_is_written_as_the_rest_is(run: Extended) -> None:
    written = [name for name, _, _ in PIECES if name.endswith(".py")]
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", *written]
        done = subprocess.run(command, cwd=run.workflow, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


OPTIONS = {"channel": "spots", "radii_um": [0.5, 1.0, 2.0]}


def test_grains_of_known_sizes_are_found(module: ModuleType) -> None:
    labels, pixels = np.zeros((2, 60, 120), int)
    labels[5:55, 5:55], labels[5:55, 65:115] = 3, 9
    pixels += 100  # a background changes nothing
    for y in (15, 30, 45):
        pixels[y, 15] += 50  # smaller than any disc
    pixels[20:25, 30:35] += 30 * disk(2)  # as large as the second disc: the third removes it
    pixels[10:50, 70:110] += 500  # larger than any
    found = module.measure_granularity(labels, pixels, 0.5, OPTIONS)
    grain = 30 * int(disk(2).sum())
    assert found["label"].tolist() == [3, 9]
    assert found.iloc[0, 1:].tolist() == [150 / (150 + grain), 0.0, grain / (150 + grain)]
    corners = found.iloc[1, 1:].to_numpy(float)  # of the square, which discs round off
    assert corners.sum() == pytest.approx(1)


def test_an_object_without_grains_has_no_granularity(module: ModuleType) -> None:
    labels = np.pad(np.ones((20, 20), int), 5)
    found = module.measure_granularity(labels, np.full_like(labels, 7), 0.5, OPTIONS)
    assert found[COLUMNS].isna().all(axis=None)
    nothing = module.measure_granularity(0 * labels, labels, 0.5, OPTIONS)
    assert nothing.empty
    assert list(nothing) == ["label", *COLUMNS]


def test_blocks_change_nothing(module: ModuleType) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.poisson(40, (150, 170)).astype(np.uint16)
    labels = np.kron(np.arange(1, 31).reshape(5, 6), np.ones((30, 30), int))[:150, :170]
    whole = module.measure_granularity(labels, pixels, 0.5, OPTIONS)
    cut = Image(pixels, "yx", block_px=64)
    pd.testing.assert_frame_equal(whole, module.measure_granularity(labels, cut, 0.5, OPTIONS))


@pytest.mark.parametrize("radii", [[0.2, 1.0], [1.0, 1.0], [2.0, 1.0]])
def test_radii_that_say_nothing_are_refused(module: ModuleType, radii: list[float]) -> None:
    with pytest.raises(BadConfig, match=r"granularity\.radii_um"):
        module.discs(radii, 0.5)


def expected_of(plate: Plate, place: Frame) -> pd.DataFrame:
    """Granularity of a frame, object by object, with openings of scikit-image's own discs."""
    labels = plate.read_labels(*place, "nuclei")
    (left,) = project_frame(plate, *place, ["spots"]).whole().astype(int)
    removed = []
    for radius in (1, 2, 4):  # 0.5, 1 and 2 µm of pixels of 0.5 µm
        removed.append(left - opening(left, disk(radius)))
        left = left - removed[-1]
    rows = []
    for label in np.unique(labels)[1:]:
        sums = [int(loss[labels == label].sum()) for loss in removed]
        rows.append([label, *(value / sum(sums) for value in sums)])
    return pd.DataFrame(rows, columns=["label", *COLUMNS])


def test_cells_and_wells_have_its_numbers(run: Extended) -> None:
    plate, cells = Plate(run.plate / "layout.json"), pd.read_parquet(run.plate / "cells.parquet")
    assert len(cells) > 30
    for (well, field, t), rows in cells.groupby(["well", "field", "t"]):
        wanted = expected_of(plate, (str(well), int(field), int(t)))
        assert rows["label"].tolist() == wanted["label"].tolist()
        np.testing.assert_allclose(rows[COLUMNS], wanted[COLUMNS], rtol=1e-12)
    wells = pd.read_parquet(run.plate / "wells.parquet").set_index("well")
    medians = cells[~cells["touches_border"]].groupby("well")["granularity_1"].median()
    np.testing.assert_allclose(wells["granularity_1"].dropna(), medians)
    statistics = pd.read_csv(run.plate / "statistics.tsv", sep="\t")
    assert "granularity_1" in set(statistics["readout"])
    profile = pd.read_parquet(run.plate / "profiles/augmented.parquet")
    assert {f"Nuclei_{name}" for name in COLUMNS} <= set(profile)


def test_receipts_and_pages_name_its_code(run: Extended) -> None:
    (table,) = (run.plate / f"blocks/{STAGE}").glob("*.parquet")
    (code,) = {receipt.made.code for receipt in read_receipts(table)}
    program = f"from cellpipe.run.code import code_of; print(code_of('{STAGE}_block')['digest'])"
    environment = {**quiet_environment(), "PYTHONPATH": str(run.workflow)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=run.folder, env=environment, capture_output=True, text=True, check=True
    )
    assert code == done.stdout.strip()
    page = (run.plate / "report.html").read_text()
    assert re.search(rf"{STAGE}.*{code}", re.sub(r"\s+", " ", page))
    crate = json.loads((run.plate / "ro-crate-metadata.json").read_text())["@graph"]
    (action,) = [entity for entity in crate if entity.get("name") == STAGE]
    assert action["identifier"] == code
    assert "radii_um" in action["description"]


def test_its_rule_is_listed_with_its_sentence(run: Extended) -> None:
    listed = run.forked(options=("--list",))
    assert re.search(rf"{STAGE}_block \(The sizes of bright grains", listed)


def test_it_is_off_unless_asked_for(run: Extended) -> None:
    code, printed = run.tried(options=("-n",), granularity={"channel": None})
    assert code == 1
    assert "set 'granularity.channel', or take 'granularity_1' out" in printed
    readouts = {"readouts": ["area_um2"], "hit_readout": None}
    off = {"granularity": {"channel": None}, "profile": readouts}
    assert f"{STAGE}_block" not in run.forked(options=("-n", "--forceall"), **off)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"radius_um": 3}, "granularity.radius_um"),
        ({"channel": "sports"}, "write 'spots' if that is meant"),
        ({"radii_um": [1]}, "granularity.radii_um"),
    ],
)
def test_its_options_are_checked_before_any_job(
    run: Extended, section: dict[str, Any], words: str
) -> None:
    code, printed = run.tried(options=("-n",), granularity=section)
    assert code == 1
    assert words in printed


def verified(run: Extended) -> tuple[int, str]:
    environment = {**quiet_environment(), "PYTHONPATH": str(run.workflow)}
    command = [sys.executable, "-m", "cellpipe", "verify", str(run.plate)]
    done = subprocess.run(command, env=environment, cwd=run.folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_an_altered_table_is_found_and_deleted_results_come_back(run: Extended) -> None:
    tables = ("cells.parquet", "wells.parquet", "statistics.tsv")
    before = digests(run.plate, tables)
    (table,) = (run.plate / f"blocks/{STAGE}").glob("*.parquet")
    assert verified(run)[0] == 0
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    code, printed = verified(run)
    assert code == 1
    assert f"blocks/{STAGE}/{table.name}" in printed
    table.unlink()
    shutil.rmtree(run.plate / f"receipts/{STAGE}")
    (run.plate / "cells.parquet").unlink()
    run.forked(*TARGETS)
    assert table.exists()
    assert digests(run.plate, tables) == before
    assert verified(run)[0] == 0
