"""Report and RO-Crate name what ran, each stage with what made its units, as receipts hold it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from running import Run, whole_plate

from cellpipe.exports.ro_crate import write_crate
from cellpipe.files import digests
from cellpipe.run import made
from cellpipe.run.blocks import Unit
from cellpipe.run.code import code_of
from cellpipe.run.made import Made, StageMade
from cellpipe.run.receipts import Frame, Receipt, read_receipts, write_receipts

NUCLEI, SPOTS = "1a+77", "4d+88"
NETWORKS = [{"name": "nuclei", "digest": NUCLEI, "sha256": "1a", "licence": "CC0-1.0"}]


def crate_of(folder: Path, *stages: StageMade) -> dict[str, dict[str, Any]]:
    """The entities of a crate of `stages`, by name."""
    options = {"segment": {"a": 1}}
    path = folder / "ro-crate-metadata.json"
    write_crate(
        path,
        {},
        plate="P",
        images="images",
        version="9",
        stages=stages,
        options=options,
        networks=NETWORKS,
    )
    return entities(path)


def entities(path: Path) -> dict[str, dict[str, Any]]:
    return {entity.get("name", ""): entity for entity in json.loads(path.read_text())["@graph"]}


def used_by(action: dict[str, Any]) -> set[str]:
    return {entity["@id"] for entity in action["instrument"]}


def test_each_stage_has_its_own_code_libraries_and_networks(tmp_path: Path) -> None:
    both = ("2.3", "2.4")
    found = crate_of(
        tmp_path,
        StageMade("ingest", 3, 1.0, ("a1",), {"zarr": ("3.1",)}, {}),
        StageMade("segment", 3, 1.0, ("b2", "c3"), {"numpy": both}, {"nuclei": (NUCLEI,)}),
        StageMade("detect", 3, 1.0, ("d4",), {}, {"spots": (SPOTS,)}),
    )
    assert [found[name]["identifier"] for name in ("ingest", "segment", "detect")] == [
        *("a1", "b2, c3", "d4")
    ]
    assert used_by(found["ingest"]) == {"#cellpipe-9", "#zarr-3.1"}
    segment = {"#cellpipe-9", "#numpy-2.3", "#numpy-2.4", "#weights-nuclei-1a"}
    assert used_by(found["segment"]) == segment
    assert found["segment"]["description"] == "options: {'a': 1}"
    assert used_by(found["detect"]) == {"#cellpipe-9", "#weights-spots-4d"}
    assert found["weights nuclei"]["license"] == "CC0-1.0"
    assert "license" not in found["weights spots"]  # the config no longer names it
    assert not {"denoise", "track"} & set(found)


def test_units_that_were_made_otherwise_are_seen_in_the_stage(tmp_path: Path) -> None:
    """Units of an earlier run that were kept name the library that was installed then."""
    first = Receipt(Unit("B02", 1, 0, 1), "k", "k", (Frame(0, seconds=2.0),), made=Made("a"))
    old, new = (
        replace(first, made=Made("a", {"numpy": version}, {"nuclei": NUCLEI}))
        for version in ("2.3", "2.4")
    )
    path = tmp_path / "blocks/segment/0000.parquet"
    path.parent.mkdir(parents=True)
    write_receipts(path, pd.DataFrame({"well": ["B02"]}), [old, new])
    assert read_receipts(path) == [old, new]
    (stage,) = made.of_tables([path])
    assert (stage.stage, stage.n_units, stage.seconds, stage.codes) == ("segment", 2, 4.0, ("a",))
    assert stage.libraries == {"numpy": ("2.3", "2.4")}
    assert stage.weights == {"nuclei": (NUCLEI,)}


def test_what_is_not_installed_was_not_used() -> None:
    code = {"digest": "a", "libraries": ["no_such_library", "numpy", "skimage"]}
    assert set(Made.here(code).libraries) == {"numpy", "scikit-image"}


@pytest.mark.slow
def test_report_and_crate_name_what_the_receipts_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run: Run = whole_plate(tmp_path_factory)
    results = run.folder / "results/P"
    stages = {path.name for path in (results / "blocks").iterdir()} - {"verify"}
    stated = {
        stage: {
            json.dumps(receipt.made.as_dict())
            for path in (results / "blocks" / stage).glob("*.parquet")
            for receipt in read_receipts(path)
        }
        for stage in stages
    }
    steps = {"gather_plate", "profile_plate", "train_classifier"} & {
        path.stem for path in (results / "digests").glob("*.json")
    }
    for step in steps:
        record = digests.read_record(results, step)
        assert record
        stated[step] = {json.dumps(record.made)}
    crate = entities(results / "ro-crate-metadata.json")
    actions = {name: e for name, e in crate.items() if e["@type"] == "CreateAction"}
    assert set(actions) == set(stated)
    page = (results / "report.html").read_text()
    section = page[page.index('<section id="provenance">') :]
    shown = {
        cells[0]: cells
        for cells in (
            [html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall("<td.*?</td>", row)]
            for row in re.findall("<tr>.*?</tr>", section, re.S)
        )
        if len(cells) == 6
    }
    assert set(shown) == {name.replace("_", " ") for name in stated}
    for name, several in stated.items():
        (one,) = several
        what = json.loads(one)
        assert what["code"]
        assert what["libraries"]
        assert actions[name]["identifier"] == what["code"]
        row = shown[name.replace("_", " ")]
        assert row[3] == what["code"]
        assert row[4] == ", ".join(f"{k} {v}" for k, v in what["libraries"].items())
        assert row[5] == (", ".join(what["weights"]) or "–")
        wanted = {f"#{k}-{quote(v)}" for k, v in what["libraries"].items()}
        wanted |= {f"#weights-{k}-{v[:12]}" for k, v in what["weights"].items()}
        assert {w for w in used_by(actions[name]) if not w.startswith("#cellpipe-")} == wanted
        script = name if name in steps else f"{name}_block"
        engine = ["segment.engines.classical"] if name == "segment" else []
        assert what["code"] == code_of(script, *engine)["digest"], name
    assert json.loads(next(iter(stated["measure"])))["libraries"].keys().isdisjoint({"torch"})
    (classify,) = (json.loads(one) for one in stated["classify"])
    classifier = digests.file_digest(results / "classifier/classifier.safetensors")
    assert classify["weights"] == {"classifier": classifier}
