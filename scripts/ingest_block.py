"""Convert the planes of a block of fields into the plate's arrays."""

import hashlib
from pathlib import Path

import pandas as pd

from cellpipe.files.tables import read_table
from cellpipe.readers.accounting.holes import stack_sizes
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames import ingest
from cellpipe.run.frames.project import projection_params
from cellpipe.run.job import speaking
from cellpipe.run.provenance import fingerprint
from cellpipe.run.stream import Work

with speaking(snakemake):
    job = BlockJob.of(snakemake, "ingest")
    images, projection = Path(snakemake.params.images), job.plate.projection
    in_place = snakemake.params.in_place
    planes = read_table(snakemake.input.manifest)
    of_field = {} if in_place else dict(tuple(planes.groupby(["well", "field"])))
    of_frame: dict = {}
    for plane in planes.itertuples():
        of_frame.setdefault((plane.well, plane.field, plane.t), []).append(plane)
    usual = {} if in_place else stack_sizes(planes)
    absent = {name: sorted(frames) for name, frames in job.plate.not_taken.items()}
    digests: dict = {}

    def depths(unit):
        """Planes of each channel; those of the field, where the metadata state them."""
        own = of_field.get((unit.well, unit.field))
        if own is None or "n_z" not in own:
            return usual
        return {**usual, **dict(zip(own["channel"], own["n_z"].astype(int).tolist(), strict=True))}

    def key(unit):
        """What the unit is made from: files as they were inspected, and where they go."""
        place = job.plate.fields[unit.well, unit.field].as_dict()
        n_z = depths(unit)
        if in_place:
            files = str(job.plate.states(unit.well, unit.field, unit.t_start, unit.t_stop))
        else:
            files = of_field[unit.well, unit.field].to_csv(index=False)
        params = {
            "files": hashlib.sha256(files.encode()).hexdigest(),
            "field": place,
            "images": str(images) if in_place else "",
            "n_z": n_z,
            "unit": unit.as_dict(),
            **({"projection": projection} if max(n_z.values(), default=1) > 1 else {}),
            **projection_params(job.plate),
            **({"not_taken": absent} if absent else {}),
        }
        return fingerprint("ingest", code=job.made.code, params=params)

    def read(unit, t):
        if in_place:
            return ingest.in_place(job.plate, unit.well, unit.field, t)
        shape = job.plate.fields[unit.well, unit.field].shape[-2:]
        frame = {}
        for plane in of_frame.get((unit.well, unit.field, t), []):
            pixels = read_plane(images / plane.path, plane.page)
            whole = ingest.refuse_other(pixels, images / plane.path, shape, plane.dtype)
            frame[plane.channel, plane.z] = whole
        return frame

    def compute(unit, t, planes):
        if in_place:
            return planes
        field = job.plate.fields[unit.well, unit.field]
        method = projection if field.size("z") == 1 else None
        taken = job.plate.channels_at(unit.well, t)
        return ingest.assemble(
            planes, taken, dtype=field.dtype, n_z=depths(unit), projection=method
        )

    def write(unit, t, frame):
        taken = job.plate.channels_at(unit.well, t)
        if len(taken) < len(job.plate.channels):  # nothing old may stand for what was not taken
            job.plate.erase_frame(unit.well, unit.field, t)
        if not in_place:
            job.plate.write_frame(unit.well, unit.field, t, taken, frame.pixels)
        digests.setdefault(unit, []).append((t, ingest.pixel_digest(frame.pixels)))
        figures = ingest.figures_of_taken(frame, taken, job.plate.channels)
        return job.placed(figures, unit, t)

    def content(unit, key):
        """The fingerprint speaks of pixels, not of files: a copy of the folder gives the same."""
        params = {"pixels": digests.get(unit, []), "unit": unit.as_dict()}
        return fingerprint("ingest", code="", params=params)

    work = Work(
        key=key,
        frames=lambda unit: range(unit.t_start, unit.t_stop),
        read=read,
        compute=compute,
        write=write,
        erase=lambda unit, t: job.plate.erase_frame(unit.well, unit.field, t),
        there=lambda unit, t: job.plate.has_frame(unit.well, unit.field, t),
        stored=lambda unit, t: {"pixels": job.plate.stored_digest(unit.well, unit.field, t)},
        fingerprint=content,
        empty=pd.DataFrame(columns=["plate", "well", "field", "t"]),
    )
    job.run(work)
