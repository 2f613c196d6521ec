"""What a dry run says of a plate whose blocks are not known yet."""

from __future__ import annotations

from cellpipe.run.ahead import jobs_ahead

STAGES = ["ingest", "segment", "measure"]


def test_a_new_plate_has_its_jobs_in_words() -> None:
    rules = ["inspect_plate", "lay_out_plate", "gather_plate", "write_report"]
    said = jobs_ahead({"P": rules, "Q": ["write_report"]}, STAGES, 96, "lay_out_plate")
    first, blocks, then = (line.split(maxsplit=1) for line in said.splitlines()[1:4])
    assert said.startswith("P: ")
    assert first == ["first", "inspect plate, lay out plate"]
    assert blocks[1].startswith("each block  ingest, segment, measure, verify:")
    assert "96 fields × frames" in blocks[1]
    assert then == ["then", "gather plate, write report"]
    assert "snakemake --until lay_out_plate" in said
    assert "Q" not in said  # laid out: its jobs are listed


def test_nothing_is_said_where_every_job_is_listed() -> None:
    assert jobs_ahead({"P": ["ingest_block", "write_report"]}, STAGES, 96, "lay_out_plate") == ""
    assert jobs_ahead({"P": []}, STAGES, 96, "lay_out_plate") == ""
