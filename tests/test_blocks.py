"""A plate is cut into units and blocks: everything once, in order, of even size."""

from __future__ import annotations

import pytest

from cellpipe.run.blocks import Cut, Unit, cut_blocks, cut_field_blocks, cut_units


def plate(n_wells: int, n_fields: int = 1, n_t: int = 1) -> list[dict]:
    wells = [f"{'ABCDEFGHIJKLMNOP'[i // 24]}{i % 24 + 1:02d}" for i in range(n_wells)]
    return [
        {"well": well, "field": field, "n_t": n_t}
        for well in wells
        for field in range(1, n_fields + 1)
    ]


def frames(units):
    return [(u.well, u.field, t) for u in units for t in range(u.t_start, u.t_stop)]


@pytest.mark.parametrize(
    ("n_wells", "n_fields", "n_t", "per_block", "per_unit"),
    [
        (1, 1, 1, 96, 100),
        (384, 9, 1, 96, 100),
        (6, 1, 101, 96, 100),
        (3, 2, 7, 1, 2),
        (5, 1, 30, 7, 4),
    ],
)
def test_every_frame_is_in_one_block_in_plate_order(n_wells, n_fields, n_t, per_block, per_unit):
    fields = plate(n_wells, n_fields, n_t)
    blocks = cut_blocks(fields, frames_per_block=per_block, frames_per_unit=per_unit)
    found = [frame for units in blocks.values() for frame in frames(units)]
    assert found == [(f["well"], f["field"], t) for f in fields for t in range(n_t)]
    assert list(blocks) == [f"{i:04d}" for i in range(len(blocks))]


def test_blocks_are_even():
    blocks = cut_blocks(plate(384, 9), frames_per_block=100, frames_per_unit=100)
    sizes = [sum(unit.n_frames for unit in units) for units in blocks.values()]
    assert len(blocks) == 35
    assert max(sizes) - min(sizes) <= 1


def test_a_long_movie_gives_equal_units():
    units = cut_units([{"well": "B02", "field": 1, "n_t": 101}], 100)
    assert [unit.n_frames for unit in units] == [50, 51]


def test_blocks_are_numbered_without_gaps_when_one_field_is_long():
    fields = [
        {"well": "B02", "field": 1, "n_t": 100},
        {"well": "B03", "field": 1, "n_t": 1},
        {"well": "B04", "field": 1, "n_t": 1},
    ]
    assert list(cut_blocks(fields, frames_per_block=10, frames_per_unit=100)) == ["0000", "0001"]


def test_the_plate_is_gone_through_row_by_row_beyond_row_z():
    fields = [{"well": well, "field": 1, "n_t": 1} for well in ("AA01", "Z02", "B10")]
    assert [unit.well for unit in cut_units(fields, 10)] == ["B10", "Z02", "AA01"]


def test_field_blocks_hold_whole_movies():
    blocks = cut_field_blocks(plate(4, 1, 250), frames_per_block=300)
    spans = {(u.t_start, u.t_stop) for units in blocks.values() for u in units}
    assert spans == {(0, 250)}


def test_a_plate_without_fields_has_no_blocks():
    assert cut_blocks([], frames_per_block=10, frames_per_unit=10) == {}


def test_a_unit_is_known_by_its_name():
    unit = Unit("AA03", 12, 100, 200)
    assert Unit.from_name(unit.name) == unit
    assert Unit.from_name("notes") is None


def test_the_list_of_blocks_is_read_as_it_was_written(tmp_path):
    fields = plate(50, 2, 3)
    cut = Cut.of(fields, frames_per_block=7, frames_per_unit=2)
    path = tmp_path / "blocks.json"
    path.write_text(cut.as_text())
    assert Cut.read(path) == cut
    assert cut.blocks == cut_blocks(fields, frames_per_block=7, frames_per_unit=2)
    assert cut.field_blocks == cut_field_blocks(fields, frames_per_block=7)


def test_blocks_of_both_kinds_find_each_other():
    cut = Cut.of(plate(5, 1, 30), frames_per_block=7, frames_per_unit=4)
    for name, units in cut.field_blocks.items():
        sharing = [
            block
            for block, others in cut.blocks.items()
            if {(u.well, u.field) for u in units} & {(u.well, u.field) for u in others}
        ]
        assert cut.blocks_of(name) == sharing
        assert len(sharing) > 1
        for block in sharing:
            assert name in cut.field_blocks_of(block)
    assert set(cut.field_blocks_of("0000")) < set(cut.field_blocks)
