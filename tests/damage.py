"""Ways in which images, tables and options come to harm between microscope and analysis.

Each function takes the folder of a simulated plate (`images/`, `plate_map.tsv`) and a random
generator, does one harm, and returns what it did (`harm.Harm`), with the wells whose numbers may
change by it.

Not knowable from the data, and so counted apart, never as right: wells that were exchanged when
files were named, a field that was rotated, the shadow of dust in one image, a plate map that lay
the wrong way round (the same wells, other treatments), doses in another unit throughout, another
interval between frames where the images hold no time. Of these, wells that are not touched must
still stay the same.
"""

from __future__ import annotations

import damage_files as files
import damage_pixels as pixels
import damage_tables as tables
import damage_time as time
from harm import Damage

OF_PLATES: tuple[Damage, ...] = (
    files.plane_removed, files.field_removed, files.well_removed, files.cut_short,
    files.header_overwritten, files.emptied, files.text_instead, files.folder_instead,
    files.renamed, files.renumbered, files.doubled, files.doubled_otherwise, files.linked,
    files.link_broken, files.hidden_files, pixels.resized, pixels.eight_bits, pixels.coloured,
    pixels.not_finite, pixels.pages_added, pixels.saturated, pixels.blanked, pixels.half_blank,
    pixels.out_of_focus, tables.map_of_excel, tables.map_with_an_extra_cell,
    tables.map_without_a_row, tables.map_with_a_row_twice, tables.map_with_a_wrong_word,
    tables.map_one_column_on,
    pixels.stored_otherwise, pixels.white_is_zero, pixels.inverted, pixels.rescaled,
    pixels.offset_added, pixels.gain_changed, pixels.of_another_type, pixels.hot_columns,
    pixels.dust, pixels.rotated, pixels.magnified, pixels.channels_exchanged,
    pixels.channel_doubled, pixels.field_doubled, pixels.wells_exchanged,
    tables.map_as_people_write_wells, tables.map_in_another_order, tables.map_shifted,
    tables.map_turned, tables.doses_in_another_unit, tables.doses_of_two_units,
    tables.map_absent, tables.sheet_of_nothing, tables.option_out_of_range,
)  # fmt: skip
OF_MOVIES: tuple[Damage, ...] = (
    time.frames_lost, time.end_lost, time.time_point_lost, time.frame_repeated,
    time.frames_swapped, time.stage_moved, files.plane_removed, files.cut_short, files.emptied,
    pixels.resized, pixels.eight_bits, pixels.blanked, files.renamed, files.doubled,
    files.hidden_files, files.well_removed,
    time.neighbours_swapped, time.shuffled, time.frame_of_another_well, time.every_other_lost,
    time.start_lost, time.dimmed, time.interval_changed, pixels.stored_otherwise,
)  # fmt: skip
