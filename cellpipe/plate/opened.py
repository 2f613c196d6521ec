"""A plate of results, as a notebook reads it: images and labels that are read when they are needed,
tables, wells with what was done to them.

    plate = cellpipe.open_plate("results/P")
    plate.wells                                  a row per well: condition, dose, control, readouts
    plate.image("B03", 1).channel("dna")[0]      dask, read chunk by chunk
    plate.labels("B03", 1, "nuclei").data[0].compute()
    plate.well("B03").channel("dna")[0]          all fields of the well, where the stage had them
    plate.table("cells")                         pandas
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.files.tables import read_listing, read_statistics, read_table
from cellpipe.plate.chunks import missing_chunks, read_planes, refuse_missing
from cellpipe.plate.corners import corners_px
from cellpipe.plate.mosaic import Tile, mosaic
from cellpipe.plate.plate import Field, Plate
from cellpipe.wells import well_name

if TYPE_CHECKING:
    import dask.array
    import pandas as pd

Index = tuple[slice, ...]
TABLES = (".parquet", ".tsv")  # long ones, and those that a person opens


@dataclass(frozen=True)
class LazyImage:
    """An image, or labels, of one field, which is read chunk by chunk when it is computed.

    data : dask array, its axes as in `axes`
    axes : of the data, "tczyx" for pixels, "tzyx" for labels, or the subset that there is
    scale : of the axes whose unit is known: seconds between frames, µm between pixels
    channels : names along "c"; none for labels

    A chunk that is missing or torn, and a channel at a frame at which it was not taken, raise
    BadImage when they are read: zeros are no pixels.
    """

    data: dask.array.Array
    axes: str
    scale: dict[str, float]
    channels: tuple[str, ...] = ()

    @property
    def units(self) -> dict[str, str]:
        """Of the axes in `scale`: "s" or "µm"."""
        return {axis: "s" if axis == "t" else "µm" for axis in self.scale}

    def channel(self, name: str) -> dask.array.Array:
        """Data of one channel, without the axis "c". Raises BadConfig for a name that is none."""
        at = self.channels.index(_named(name, self.channels, "a channel"))
        return self.data[(slice(None),) * self.axes.index("c") + (at,)]


class OpenPlate:
    """What `open_plate` returns.

    name : of the plate; channels, label_names : of its images and labels
    path : folder of its results
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plate = Plate(path / "layout.json")
        self.name, self.channels = self._plate.name, tuple(self._plate.channels)
        self.label_names = tuple(self._plate.label_names)

    def __repr__(self) -> str:
        fields = len(self._plate.fields)
        return f"<plate {self.name}: {fields} fields, channels {', '.join(self.channels)}>"

    @property
    def fields(self) -> list[tuple[str, int]]:
        """(well, field) of every image, as they were laid out."""
        return list(self._plate.fields)

    @cached_property
    def wells(self) -> pd.DataFrame:
        """A row per well: what was done to it (condition, dose, control …), and its readouts."""
        return self.table("wells")

    @property
    def tables(self) -> list[str]:
        """Names of the tables that there are."""
        return sorted(path.stem for kind in TABLES for path in self.path.glob(f"*{kind}"))

    def table(self, name: str) -> pd.DataFrame:
        """A table of the plate: "cells", "fields", "wells", "tracks", "statistics", "warnings" …

        Raises BadConfig for one that is not there, BadTable for one that is torn.
        """
        known = self.path / _named(name, self.tables, "a table")
        path = known.with_name(f"{known.name}.tsv")
        if path.is_file():
            return read_statistics(path) if name == "statistics" else read_listing(path)
        return read_table(known.with_name(f"{known.name}.parquet"))

    def image(self, well: str, field: int, level: int = 0) -> LazyImage:
        """The pixels of a field, in the stored type. Raises BadConfig for one that is not there.

        level : 0 is the full resolution, 1 half of it along y and x …
        """
        where = self._plate.fields[self._place(well, field)]
        array = self._plate.array(where, _level(level, where))

        def refuse(index: Index) -> None:
            self._refuse(where, level, index, f"{where.well} {where.field}")

        return LazyImage(
            _lazy(array, refuse, f"{self.name} {where.well} field {where.field}"),
            where.axes,
            self._scale(where, array),
            self.channels if "c" in where.axes else (),
        )

    def labels(self, well: str, field: int, name: str | None = None, level: int = 0) -> LazyImage:
        """The labels of a field, uint32; 0 is background, other values are `label` of the tables.

        name : "nuclei", "cells", "tracks"; None takes what the rows of the tables are
        """
        where = self._plate.fields[self._place(well, field)]
        known = _named(name or self._plate.objects, self.label_names, "labels")
        array = self._plate.array(where, _level(level, where), known)
        what = f"{known} of {self.name} {where.well} field {where.field}"

        def refuse(index: Index) -> None:
            refuse_missing(missing_chunks(array, index), what)

        axes = where.axes.replace("c", "")
        return LazyImage(_lazy(array, refuse, what), axes, self._scale(where, array))

    def stage_motion(self, well: str, field: int) -> pd.DataFrame:
        """Translations that register the frames of a movie: what its stage moved, taken back.

        A row per frame: t; y_px, x_px, y_um, x_um (float64), to be added to positions in it;
        jump_…, the part of it that is jumps of the stage; known; found_by
        (`cellpipe.plate.motion.stage_motion`). Only y_px, x_px where the pixel size is unknown.
        Raises BadConfig for a field without any: no movie, or nothing was followed.
        """
        from cellpipe.plate.motion import JUMP, SHIFT, in_pixels, stage_motion

        place, scale = self._place(well, field), self._plate.scale
        fields = scale.computed(self.table("fields"))
        own = fields[(fields["well"] == place[0]) & (fields["field"] == place[1])]
        if not {*SHIFT, *JUMP} <= set(own) or own[[*SHIFT]].isna().all(axis=None):
            raise BadConfig(
                seen=f"no movement of the stage for field {place[1]} of well {place[0]}",
                wanted="a movie in which cells, or spots, are followed",
                do="set 'track.enabled', or 'detect.track', and run the plate again",
            )
        return in_pixels(stage_motion(own), scale)

    def places(self, well: str) -> pd.DataFrame:
        """Where the fields of a well lie by the recorded positions, a row per field.

        well, field; y_px, x_px (float64): first pixel of the field, relative to what the positions
        are relative to (`origin`). Raises BadConfig where they are not known.
        """
        import pandas as pd

        own = self._fields_of(well)
        corners = corners_px(own, self._plate.scale)
        return pd.DataFrame(
            {
                "well": [field.well for field in own],
                "field": [field.field for field in own],
                "y_px": corners[:, 0],
                "x_px": corners[:, 1],
                "origin": [field.centre.origin if field.centre else "" for field in own],
            }
        )

    def well(self, well: str, corners: Any = None) -> LazyImage:
        """All fields of a well as one image, in the stored type, read by block.

        Where fields overlap, a pixel is that of the field whose centre is nearest; where there is
        none it is 0. Places are rounded to whole pixels.

        corners : (N, 2), y and x in pixels of the first pixel of each field, in the order of
            `places`, such as `cellpipe.correct.placing.place_fields` gives; None takes `places`

        Raises BadConfig for a well without positions, or whose fields are no one image.
        """
        own = self._fields_of(well)
        at = corners_px(own, self._plate.scale) if corners is None else np.array(corners, float)
        if at.shape != (len(own), 2) or not np.isfinite(at).all():
            raise BadConfig(
                seen=f"corners of the shape {at.shape} for the {len(own)} fields of {own[0].well}",
                wanted=f"{len(own)} finite pairs of y and x, in pixels",
                do="give a pair for each field, in the order of `plate.places`",
            )
        whole = np.rint(at).astype(int)
        tiles = [
            Tile(self._array(field).shape, (int(y), int(x)), self._reader(field))
            for field, (y, x) in zip(own, whole, strict=True)
        ]
        import dask

        first = self._array(own[0])
        name = dask.base.tokenize(str(first.store_path), whole.tolist())
        return LazyImage(
            mosaic(tiles, own[0].axes, first.dtype, f"cellpipe-well-{name}"),
            own[0].axes,
            self._scale(own[0], first),
            self.channels if "c" in own[0].axes else (),
        )

    def _fields_of(self, well: str) -> list[Field]:
        known = well_name(well)
        own = [field for (name, _), field in self._plate.fields.items() if name == known]
        if not own:
            self._place(well, 0)  # raises: no such well
        return own

    def _array(self, where: Field) -> Any:
        return self._plate.array(where, 0)

    def _reader(self, where: Field) -> Callable[[Index], np.ndarray]:
        what = f"{self.name} {where.well} field {where.field}"

        def read(index: Index) -> np.ndarray:
            self._refuse(where, 0, index, what)
            planes = read_planes(self._array(where), index, what)
            return planes.reshape([cut.stop - cut.start for cut in index])

        return read

    def _refuse(self, where: Field, level: int, index: Index, what: str) -> None:
        """Raise BadImage for pixels that are not there: zeros would take their place."""
        if self._plate.not_taken or self._plate.lacking:
            cuts = dict(zip(where.axes, index, strict=True))
            channels = self.channels[cuts["c"]] if "c" in cuts else self.channels
            times = range(*cuts["t"].indices(where.size("t"))) if "t" in cuts else [0]
            self._plate.refuse_not_taken(where.well, channels, times, what)
        refuse_missing(self._plate.missing(where, level, index), what)

    def _place(self, well: str, field: int) -> tuple[str, int]:
        place = well_name(well), field
        if place not in self._plate.fields:
            own = [number for name, number in self._plate.fields if name == place[0]]
            imaged = dict.fromkeys(name for name, _ in self._plate.fields)
            fields, wells = ", ".join(map(str, own)), ", ".join(imaged)
            raise BadConfig(
                seen=f"field {field} of well {place[0]}",
                wanted=f"field {fields} of it" if own else f"a well that was imaged: {wells}",
                do="look at `plate.fields`",
            )
        return place

    def _scale(self, where: Field, array: Any) -> dict[str, float]:
        """Seconds and µm per step of an array, which may be coarser than the field."""
        own, known = self._plate.scale, {}
        if own.time_known and "t" in where.axes:
            known["t"] = own.step
        if own.length_known:
            y, x = (round(where.size(a) / n) for a, n in zip("yx", array.shape[-2:], strict=True))
            known |= {"y": own.y * y, "x": own.x * x}
        return known


def open_plate(results: str | Path) -> OpenPlate:
    """The results of a plate, for notebooks and scripts of one's own.

    results : the plate's folder below the results, ``results/P``

    Raises BadConfig where no plate was laid out there.
    """
    path = Path(results)
    if not (path / "layout.json").is_file():
        near = sorted(found.parent.name for found in path.glob("*/layout.json"))
        raise BadConfig(
            seen=f"{path}, which holds no layout.json",
            wanted="the folder of a plate's results, such as results/P",
            do=f"open one of: {', '.join(near)}" if near else "give the folder of a finished run",
        )
    return OpenPlate(path)


def _level(level: int, where: Field) -> int:
    if level in range(len(where.levels)):
        return level
    raise BadConfig(
        seen=f"level {level} of {where.well} field {where.field}",
        wanted=f"a level from 0 to {len(where.levels) - 1}",
        do="small images have no coarser levels: take 0",
    )


def _named(name: str, known: Any, what: str) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, 1)
    raise BadConfig(
        seen=f"{what} '{name}'",
        wanted=f"one of: {', '.join(known)}",
        do=f"did you mean '{near[0]}'?" if near else "give one of these names",
    )


def _lazy(array: Any, refuse: Callable[[Index], None], what: str) -> dask.array.Array:
    """An array on disk as dask, a block per chunk; each chunk is checked when it is read."""
    import dask.array

    def read(block_info: Any) -> np.ndarray:
        index = tuple(slice(*ends) for ends in block_info[None]["array-location"])
        refuse(index)
        planes = read_planes(array, index, what)
        return planes.reshape([cut.stop - cut.start for cut in index])

    return dask.array.map_blocks(
        read,
        name=f"cellpipe-{dask.base.tokenize(str(array.store_path))}",
        chunks=dask.array.core.normalize_chunks(array.chunks, array.shape),
        dtype=array.dtype,
        meta=np.empty((0,) * array.ndim, array.dtype),
    )
