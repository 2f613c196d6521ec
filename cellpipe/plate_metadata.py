"""Lay out an OME-Zarr plate: every group, array and label layer, before any pixel is written.

One job does this for a whole plate, so that metadata has one writer. Plates that are OME-Zarr
already are read in place: the new plate links to their arrays and adds label layers of its own,
so that the original stays as it was.

Specification: NGFF 0.5 (0.4 on request), https://ngff.openmicroscopy.org
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from cellpipe.errors import BadConfig
from cellpipe.layouts.wells import row_and_column, well_name
from cellpipe.plate import Field
from cellpipe.publish import publish_text

COARSEST_PX = 256  # pyramids end when the shorter side is no longer than this


def lay_out(
    layout: Path,
    inspection: Mapping[str, Any],
    *,
    colors: Sequence[str],
    labels: Sequence[str],
    ngff_version: str = "0.5",
    chunk_px: int = 2048,
    store: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Create (or bring up to date) the plate that an inspection describes; write `layout`.

    What already has the right shape stays, with its pixels; label layers that are no longer
    wanted are removed. `layout` is written last.

    Parameters
    ----------
    layout : path of the ``layout.json`` to write; the store lies beside it
    inspection : see `manifest.inspect_planes`
    colors : RRGGBB per channel
    labels : names of label layers
    """
    store = store or f"{inspection['plate']}.ome.zarr"
    root = layout.parent / store
    common = _common(inspection, store, colors, labels, ngff_version, chunk_px)
    known = _known_fields(layout, common)
    _create_plate(root, inspection, ngff_version)
    fields = []
    for done, described in enumerate(inspection["fields"]):
        wanted = _field(described, inspection.get("source"))
        if known.get((wanted.well, wanted.field)) != wanted or not (root / wanted.path).is_dir():
            shutil.rmtree(root / wanted.path, ignore_errors=True)
            if inspection.get("source"):
                _link_image(Path(inspection["source"]) / described["source_path"], root / wanted.path)
            else:
                _create_image(root / wanted.path, wanted, inspection, colors, ngff_version, chunk_px)
        _update_labels(root / wanted.path, wanted, labels, chunk_px)
        fields.append(wanted)
        progress(done + 1, len(inspection["fields"]))
    _remove_other_fields(root, fields)
    description = {**common, "fields": [field.as_dict() for field in fields]}
    publish_text(layout, json.dumps(description, indent=1) + "\n")


def _common(
    inspection: Mapping[str, Any],
    store: str,
    colors: Sequence[str],
    labels: Sequence[str],
    ngff_version: str,
    chunk_px: int,
) -> dict[str, Any]:
    """What holds for every field of a plate."""
    return {
        "store": store,
        "plate": inspection["plate"],
        "source": inspection.get("source"),
        "channels": inspection["channels"],
        "colors": list(colors),
        "pixel_size_um": inspection["pixel_size_um"],
        "time_step_s": inspection["time_step_s"],
        "ngff_version": ngff_version,
        "chunk_px": chunk_px,
        "labels": list(labels),
    }


def write_provenance(layout: Path, made: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """Note in the attributes of each field's image and labels what made them.

    `made` is (well, field) → layer ("pixels", "nuclei", …) → fingerprint, versions and weights.
    """
    from cellpipe.plate import Plate

    plate = Plate(layout)
    for place, layers in made.items():
        image = plate.path / plate.fields[place].path
        for layer, facts in layers.items():
            group = zarr.open_group(image if layer == "pixels" else image / "labels" / layer, mode="r+")
            if group.attrs.get("cellpipe") != facts:
                group.attrs["cellpipe"] = facts


def describe_source(path: Path) -> dict[str, Any]:
    """Fields, channels and pixel size of an OME-Zarr plate (0.4 or 0.5) that is read in place.

    Raises BadConfig if `path` is no OME-Zarr plate.
    """
    import ngio

    try:
        plate = ngio.open_ome_zarr_plate(str(path), mode="r")
        wells = plate.get_wells()
    except Exception as fault:  # ngio, zarr and pydantic raise errors of many kinds
        raise BadConfig(
            seen=f"{path} ({type(fault).__name__})",
            wanted="an OME-Zarr plate (NGFF 0.4 or 0.5)",
            do="point 'images' at the .zarr folder of a plate, or choose another layout",
        ) from fault
    fields = []
    for well_path, well in wells.items():
        row, column = well_path.split("/")[:2]
        for number, image_path in enumerate(well.paths()):
            source_path = f"{well_path}/{image_path}"
            image = ngio.open_ome_zarr_container(str(path / source_path), mode="r")
            fields.append(
                _described_image(image, well_name(f"{row}{column}"), number + 1, source_path)
            )
    return {"source": str(path), "fields": fields, "ngff_version": _version_of(path)}


def _described_image(image: Any, well: str, field: int, source_path: str) -> dict[str, Any]:
    pixels = image.get_image()
    axes = "".join(pixels.axes)
    sizes = dict(zip(axes, pixels.shape, strict=True))
    pixel_size = pixels.pixel_size
    return {
        "well": well,
        "field": field,
        "source_path": source_path,
        "axes": axes,
        "shape": list(pixels.shape),
        "levels": list(image.level_paths),
        "dtype": str(pixels.dtype),
        "n_t": sizes.get("t", 1),
        "n_z": sizes.get("z", 1),
        "channels": list(image.channel_labels),
        "pixel_size_um": float(pixel_size.x),
        "time_step_s": float(pixel_size.t) if sizes.get("t", 1) > 1 else None,
    }


def _version_of(path: Path) -> str:
    return "0.5" if (path / "zarr.json").is_file() else "0.4"


def _field(described: Mapping[str, Any], source: str | None) -> Field:
    row, column = row_and_column(described["well"])
    shape, axes = tuple(described["shape"]), described["axes"]
    levels = described.get("levels") or [str(i) for i in range(_n_levels(shape))]
    return Field(
        well=described["well"],
        field=described["field"],
        path=f"{row}/{column:02d}/{described['field']}",
        axes=axes,
        shape=shape,
        dtype=described["dtype"],
        levels=tuple(levels),
    )


def _n_levels(shape: Sequence[int]) -> int:
    shorter, levels = min(shape[-2:]), 1
    while shorter > COARSEST_PX:
        shorter, levels = shorter // 2, levels + 1
    return levels


def _known_fields(layout: Path, common: Mapping[str, Any]) -> dict[tuple[str, int], Field]:
    """Fields of an earlier layout that can stay: none if their metadata would differ now."""
    from cellpipe.plate import Plate

    try:
        earlier = json.loads(layout.read_text(encoding="utf-8"))
        if any(earlier[key] != common[key] for key in common if key != "labels"):
            return {}
        return Plate(layout).fields
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _create_plate(root: Path, inspection: Mapping[str, Any], ngff_version: str) -> None:
    """Write the plate's and the wells' metadata; images below stay."""
    import ngio

    places = []
    for field in inspection["fields"]:
        row, column = row_and_column(field["well"])
        places.append(
            ngio.ImageInWellPath(row=row, column=f"{column:02d}", path=str(field["field"]))
        )
    # built beside the plate, then its metadata files moved in one by one: images are kept
    aside = root.with_name(f".{root.name}.metadata")
    shutil.rmtree(aside, ignore_errors=True)
    ngio.create_empty_plate(
        str(aside), name=inspection["plate"], images=places, ngff_version=ngff_version  # type: ignore[arg-type]
    )
    for file in aside.rglob("*"):
        if file.is_file():
            target = root / file.relative_to(aside)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(aside)


def _create_image(
    path: Path,
    field: Field,
    inspection: Mapping[str, Any],
    colors: Sequence[str],
    ngff_version: str,
    chunk_px: int,
) -> None:
    import ngio

    windows = inspection.get("windows", {})
    full = np.iinfo(field.dtype).max if np.dtype(field.dtype).kind in "ui" else 1.0
    channels = []
    for name, color in zip(inspection["channels"], colors, strict=True):
        start, end = windows.get(name, (0, full))
        channels.append(
            ngio.Channel.default_init(
                label=name, wavelength_id=name, color=color, start=start, end=end
            )
        )
    ngio.create_empty_ome_zarr(
        str(path),
        shape=field.shape,
        pixelsize=inspection["pixel_size_um"],
        time_spacing=inspection["time_step_s"],
        levels=len(field.levels),
        axes_names=list(field.axes),
        channels_meta=channels,
        ngff_version=ngff_version,  # type: ignore[arg-type]
        chunks=_chunks(field.shape, chunk_px),
        dtype=field.dtype,
        compressors=_compressor(ngff_version),
    )


def _chunks(shape: Sequence[int], chunk_px: int) -> tuple[int, ...]:
    y, x = (min(side, chunk_px) for side in shape[-2:])
    return (1,) * (len(shape) - 2) + (y, x)


def _compressor(ngff_version: str) -> Any:
    """Zstandard 1 with byte shuffle: on 16-bit fields of nuclei it is the smallest of those measured."""
    if ngff_version == "0.4":
        from numcodecs import Blosc

        return Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE)
    return zarr.codecs.BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")


def _update_labels(path: Path, field: Field, labels: Sequence[str], chunk_px: int) -> None:
    """Make the label layers of one image exactly `labels`; layers that are there keep their pixels."""
    import ngio

    image = ngio.open_ome_zarr_container(str(path), mode="r+")
    there = set(image.list_labels())
    for name in sorted(there - set(labels)):
        image.delete_label(name)
    flat = [1 if axis in "cz" else size for axis, size in zip(field.axes, field.shape, strict=True)]
    for name in labels:
        if name not in there:
            image.derive_label(
                name,
                shape=flat,
                chunks=_chunks(flat, chunk_px),
                dtype="uint32",
                compressors=_compressor(_version_of(path)),
            )


def _link_image(source: Path, path: Path) -> None:
    """Make an image group whose arrays are links to those of `source`, and that has no labels."""
    path.mkdir(parents=True)
    for entry in sorted(source.iterdir()):
        if entry.is_file():
            shutil.copyfile(entry, path / entry.name)
        elif entry.name not in {"labels", "tables"}:
            (path / entry.name).symlink_to(entry.resolve(), target_is_directory=True)


def _remove_other_fields(root: Path, fields: Iterable[Field]) -> None:
    """Fields of an earlier layout that are gone leave nothing behind."""
    kept = {field.path for field in fields}
    for path in root.glob("[A-Z]*/[0-9]*/*"):
        if path.is_dir() and str(path.relative_to(root)) not in kept:
            shutil.rmtree(path)
