"""Tables of the stages are joined by place and label; nothing is lost or doubled."""

from __future__ import annotations

import pandas as pd

from cellpipe.run.blocks import Unit
from cellpipe.run.plates import gather
from cellpipe.run.receipts import Frame, Receipt

PLACES = [("B02", 1, 0, 1), ("B02", 1, 0, 2), ("B02", 1, 1, 1), ("AA03", 2, 0, 1)]
TYPES = {"field": "int32", "t": "int32", "label": "uint32"}


def at(places, **columns) -> pd.DataFrame:
    table = pd.DataFrame(places, columns=gather.OBJECT).astype(TYPES)
    return table.assign(**columns)


def measured() -> pd.DataFrame:
    return at(PLACES, plate="P", dna_mean=[1.0, 2.0, 3.0, 4.0], fingerprint="f")


def test_rows_stay_one_per_cell_and_get_row_and_column():
    cells = gather.join_cells(measured())
    assert len(cells) == 4
    by_well = cells.set_index("well")[["row", "column"]].drop_duplicates()
    assert tuple(by_well.loc["AA03"]) == ("AA", 3)
    assert tuple(by_well.loc["B02"]) == ("B", 2)
    assert list(cells)[-1] == "fingerprint"


def test_classes_spots_and_tracks_find_their_cells():
    classes = at(PLACES[::-1], **{"class": list("dcba"), "class_probability": 0.9})
    spots = at([PLACES[1], PLACES[1], PLACES[3], ("B02", 1, 0, 0)])
    links = at(PLACES[:3], track_id=[7, 8, 7], parent_track_id=[0, 0, 0])
    cells = gather.join_cells(measured(), more=[classes], spots=spots, links=links)
    found = cells.set_index(gather.OBJECT)[["dna_mean", "spot_count", "track_id"]]
    assert dict(zip(found.index, found.itertuples(index=False, name=None), strict=True)) == {
        PLACES[0]: (1.0, 0, 7),
        PLACES[1]: (2.0, 2, 8),
        PLACES[2]: (3.0, 0, 7),
        PLACES[3]: (4.0, 1, 0),
    }
    assert cells.set_index("dna_mean")["class"].to_dict() == {1: "a", 2: "b", 3: "c", 4: "d"}
    assert cells["track_id"].dtype == "int64"
    assert cells["spot_count"].dtype == "int32"


def test_a_plate_without_spots_counts_none():
    cells = gather.join_cells(measured(), spots=at([]))
    assert cells["spot_count"].tolist() == [0, 0, 0, 0]


def test_fields_keep_a_row_where_a_later_stage_has_none():
    ingest = at(PLACES).drop_duplicates(gather.FRAME).drop(columns="label")
    ingest = ingest.assign(plate="P", dna_mean=1.0, fingerprint="i")
    segment = ingest.iloc[:1][[*gather.FRAME, "plate"]].assign(n_nuclei=5, fingerprint="s")
    fields = gather.join_fields({"ingest": ingest, "segment": segment})
    assert len(fields) == 3
    assert fields["n_nuclei"].count() == 1
    assert {"ingest_fingerprint", "segment_fingerprint"} <= set(fields)


def test_everything_left_out_is_listed_with_reason_and_remedy():
    fault = {"well": "B05", "field": 1, "file": "x.tif", "reason": "torn", "remedy": "copy it"}
    frames = (Frame(0), Frame(1, "quarantined", "no pixels", "look"))
    receipts = {"ingest": [Receipt(Unit("B02", 1, 0, 2), "k", "f", frames)], "segment": []}
    table = gather.quarantine("P", {"faults": [fault]}, receipts)
    assert table.to_dict("records") == [
        {"plate": "P", "well": "B05", "field": 1, "t": "", "stage": "inspect",
         "status": "quarantined", "file": "x.tif", "reason": "x.tif: torn", "remedy": "copy it"},
        {"plate": "P", "well": "B02", "field": 1, "t": 1, "stage": "ingest",
         "status": "quarantined", "file": "", "reason": "no pixels", "remedy": "look"},
    ]  # fmt: skip
    assert gather.quarantine("P", {"faults": []}, {}).empty
