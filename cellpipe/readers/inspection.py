"""What is in a plate: found once, before any pixel is read.

The inspection lists the wells, fields, channels and frames, and which planes are
missing (holes). Everything after it reads the inspection, never the microscope's folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting import sparse
from cellpipe.readers.accounting.doubles import PLACE, settle_doubles
from cellpipe.readers.accounting.holes import (
    FIELD,
    Depths,
    depths_in_words,
    expected_frames,
    missing_fields,
    missing_planes,
    other_sizes,
    own_depths,
    refuse_uneven_stacks,
    stack_sizes,
    wells_within,
)
from cellpipe.readers.pixels.headers import (
    dtypes_of_channels,
    headers_of_fields,
)
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.units.scales import (
    Given,
    plate_scale,
    time_step,
)


def inspect_planes(
    planes: pd.DataFrame,
    channels: Mapping[str, Mapping[str, str]],
    *,
    plate: str,
    read: Callable[[str, int], Header],
    pixel_size_um: Given,
    time_step_s: float | None,
    keep_stack: bool,
    same: Callable[[str, str], bool] = lambda one, other: False,
    stated: bool = False,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Describe a plate by its planes.

    Parameters
    ----------
    planes : from `list_planes`
    channels : name → ``{"source": token}``, in the order of the plate's channel axis
    read : header of one plane, by path and page; raises BadImage
    same : whether two files are equal byte for byte
    stated : whether metadata state the planes of each field, so that stacks may differ in depth

    Returns
    -------
    inspection : dict
        ``plate, channels, fields, holes, faults, other_channels, copies, notes``, ``not_taken``
        where channels were not taken at all frames and ``lacking`` where wells lack one (see
        `accounting.sparse`), and its scale, see
        `cellpipe.readers.units.scales.plate_scale` and `time_step`
    planes : DataFrame
        the planes of the wanted channels, with the channel's name in place of its token, and the
        ``dtype`` that a plane of the channel should have; ``n_z``, planes of its stack, where
        stacks differ in depth
    """
    read, pixel_notes = _noting(read)
    names = {spec["source"]: name for name, spec in channels.items()}
    tokens = set(planes["channel"])
    refuse_absent_channels(names, tokens)
    counted = planes[planes["channel"].isin(list(names))].copy()
    counted["channel"] = counted["channel"].map(names)
    counted = counted.sort_values([*PLACE, "path"], ignore_index=True)
    planes, copies, doubled = settle_doubles(counted[counted["path"] != ""], same)
    clear = planes[~_of_fields(planes, doubled)]
    headers, faults = headers_of_fields(clear, read)
    scale, odd = plate_scale(headers, pixel_size_um)
    odd_places = {(fault["well"], fault["field"]) for fault in odd}
    dtypes = dtypes_of_channels(clear, read)
    stored = np.result_type(*dtypes.values()).name if dtypes else "uint16"
    groups = dict(tuple(planes.groupby(FIELD)))
    n_t, n_z = expected_frames(counted), stack_sizes(planes)
    absent = sparse.not_taken(planes, list(channels))
    lacking = sparse.lacking(planes, list(channels))
    own = own_depths(counted, n_z) if stated else {}
    repeated = refuse_uneven_stacks(n_z) if keep_stack else []
    own = {} if keep_stack and _uneven(own, n_z) else own
    step, late = time_step(groups, headers, read, time_step_s)
    fields = [
        _field(
            *place,
            [n_t[place], len(channels), *header.shape],
            stored,
            max(_depths(place, n_z, own).values(), default=1),
            keep_stack,
        )
        for place, header in headers.items()
        if place not in odd_places
    ]
    faults += [*odd, *doubled, *_without_files(counted, groups)]
    _refuse_nothing(fields, faults)
    inspection = {
        "plate": plate,
        "channels": list(channels),
        **scale,
        **step,
        "fields": fields,
        "holes": missing_planes(planes, list(channels), n_t, n_z, absent, lacking, own),
        "faults": [*faults, *missing_fields(counted)],
        "other_channels": sorted(tokens - set(names)),
        "copies": copies,
        **({"not_taken": absent} if absent else {}),
        **({"lacking": lacking} if lacking else {}),
        "notes": [
            *sparse.sentences(absent, max(n_t.values(), default=1)),
            *wells_within(set(counted["well"])),
            *(f"channel '{c}' has one plane: it is repeated in every z" for c in repeated),
            *depths_in_words(own, n_z),
            *other_sizes({(f["well"], f["field"]): f["shape"][-2:] for f in fields}),
            *late,
            *(f"{files}: {note}" for note, files in pixel_notes().items()),
        ],
    }
    planes = planes.assign(dtype=planes["channel"].map(dtypes).fillna(stored))
    return inspection, _with_depths(planes, n_z, own) if own else planes


def _noting(
    read: Callable[[str, int], Header],
) -> tuple[Callable[[str, int], Header], Callable[[], dict[str, str]]]:
    """`read`, and what the headers it has read by then noted of their pixels: note → files."""
    noted: dict[str, set[str]] = {}

    def noting(path: str, page: int) -> Header:
        header = read(path, page)
        if header.pixel_note:
            noted.setdefault(header.pixel_note, set()).add(path)
        return header

    def notes() -> dict[str, str]:
        return {
            note: f"{min(files)} (and {len(files) - 1} more of the files that were checked)"
            if len(files) > 1
            else min(files)
            for note, files in noted.items()
        }

    return noting, notes


def _of_fields(planes: pd.DataFrame, faults: Iterable[Mapping[str, Any]]) -> pd.Series:
    """(N,) whether a plane is of a field that has a fault."""
    places = {(fault["well"], fault["field"]) for fault in faults}
    own = zip(planes["well"], planes["field"], strict=True)
    return pd.Series([place in places for place in own], planes.index, dtype="bool")


def _without_files(
    counted: pd.DataFrame, groups: Mapping[tuple[str, int], pd.DataFrame]
) -> list[dict[str, Any]]:
    """Faults for fields that the metadata count and to which they give no file."""
    places = counted[FIELD].drop_duplicates().itertuples(index=False, name=None)
    return [
        {
            "well": str(well),
            "field": int(field),
            "file": "metadata",
            "status": "missing",
            "reason": "they count the planes of this field and name no file that holds them",
            "remedy": "copy the missing files from the microscope, then run again",
        }
        for well, field in places
        if (well, field) not in groups
    ]


def wells_without_images(mapped: Iterable[str], imaged: Iterable[str]) -> list[dict[str, Any]]:
    """Faults for wells that the plate map names and of which there are no files.

    A map of a whole plate of which a part was imaged is no fault: nothing is said if most of its
    wells are without images.
    """
    mapped, imaged = list(mapped), set(imaged)
    empty = [well for well in mapped if well not in imaged]
    if 2 * len(empty) >= len(mapped):
        return []
    return [
        {
            "well": well,
            "field": 0,
            "file": "plate map",
            "status": "missing",
            "reason": f"there are no images of well {well}",
            "remedy": "copy its files from the microscope, or take it out of the plate map",
        }
        for well in empty
    ]


def refuse_absent_channels(names: Mapping[str, str], tokens: set[str]) -> None:
    """Raise BadConfig for a channel of which there is no image; `names` are those of sources."""
    absent = [token for token in names if token not in tokens]
    if absent:
        near = difflib.get_close_matches(absent[0], tokens, n=1)
        raise BadConfig(
            seen=f"no image of channel '{names[absent[0]]}' (source '{absent[0]}') in the plate",
            wanted=f"a source out of those found: {', '.join(sorted(tokens))}",
            do=f"correct 'channels.{names[absent[0]]}.source'"
            + (f": write '{near[0]}' if that is meant" if near else "")
            + "; for a plate that lacks the channel, or has another token for it, add a set to "
            "'channel_sets' and name it in the column 'channels' of the sheet of plates",
        )


def _refuse_nothing(fields: list[dict[str, Any]], faults: list[dict[str, Any]]) -> None:
    if not fields:
        raise BadConfig(
            seen=f"no field that can be used; of the {len(faults)}, the first: "
            f"{faults[0]['file']}: {faults[0]['reason']}",
            wanted="a plate with at least one field",
            do=faults[0]["remedy"],
        )


def _depths(place: tuple[str, int], n_z: Mapping[str, int], own: Depths) -> dict[str, int]:
    """Planes of the stacks of a field, by channel."""
    return {channel: own.get((*place, channel), n) for channel, n in n_z.items()}


def _uneven(own: Depths, n_z: Mapping[str, int]) -> bool:
    """Whether channels of one field have stacks of different depths."""
    fields = {place[:2] for place in own}
    return any(len({n for n in _depths(f, n_z, own).values() if n > 1}) > 1 for f in fields)


def _with_depths(planes: pd.DataFrame, n_z: Mapping[str, int], own: Depths) -> pd.DataFrame:
    places = zip(planes["well"], planes["field"], planes["channel"], strict=True)
    return planes.assign(n_z=[own.get((w, int(f), c), n_z[c]) for w, f, c in places])


def _field(
    well: str, field: int, sizes: Sequence[int], dtype: str, n_z: int, keep_stack: bool
) -> dict[str, Any]:
    """`sizes` : of the axes T, C, Y, X."""
    shape = [*sizes[:2], n_z if keep_stack else 1, *sizes[2:]]
    return {
        "well": well,
        "field": field,
        "axes": "tczyx",
        "shape": shape,
        "dtype": dtype,
        "n_t": shape[0],
        "n_z": n_z,
    }
