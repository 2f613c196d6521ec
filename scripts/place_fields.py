"""Place the fields of a plate in their wells, by stage positions or by what neighbours share."""

from cellpipe.files.publish import publish_table
from cellpipe.plate.plate import Plate
from cellpipe.run.job import log, speaking, warn
from cellpipe.run.plates.places import directions_of, find_places
from cellpipe.run.receipts import good_frames

with speaking(snakemake):
    params, plate = snakemake.params, Plate(snakemake.input.layout)
    frames = sorted(good_frames(snakemake.input.tables))
    frames = [frame for frame in frames if params.channel in plate.channels_at(frame[0], frame[2])]
    directions, told = directions_of(plate, frames, params.options, params.channel)
    if told:
        log.warning("%s", told)
        warn(f"{plate.name}: {told}")
    places, notes = find_places(plate, frames, params.options, params.channel, directions)
    publish_table(snakemake.output.places, places)
    for by, rows in places.groupby("placed_by"):
        log.info("%d of %d fields placed by: %s", len(rows), len(places), by)
    refused = places[places["overlaps_not_used"].ne("")]
    for row in refused.itertuples():
        log.info("%s field %d, overlaps not used: %s", row.well, row.field, row.overlaps_not_used)
    for line in notes:
        log.warning("%s", line)
    if notes:
        wells = f"{len(notes)} well{'s' * (len(notes) != 1)}"
        warn(f"{plate.name}: {wells} not placed as asked, such as {notes[0]}")
