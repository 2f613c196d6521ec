"""Every name that a config gives, checked against what each plate of the run will have.

    channels, ratios, readouts      the channels of its set, and what its stages make of them
    fraction_<class>                classes of its annotations, or of its controls
    evaluate.truth_layer            label layers of its truth
    profile.dose_group              columns of its plate map (`readouts`)

This runs before any job: a misspelt name that is found after segmentation costs hours, and
Snakemake removes finished tables before the job that is to make them again fails.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellpipe.config.objects import read_annotations
from cellpipe.config.plate_config import config_of_plate
from cellpipe.config.readouts import (
    refuse_missing_controls,
    refuse_odd_maps,
    refuse_unknown_readouts,
)
from cellpipe.errors import BadConfig, Unreachable
from cellpipe.readers.layouts import pattern

Row = Mapping[str, Any]


def refuse_unknown_names(config: Mapping[str, Any], plates: Mapping[str, Row]) -> None:
    """Raise BadConfig for a name that the config gives and a plate of the run will not have.

    `config` has its defaults; `plates` are the rows of the sheet of plates, by plate.
    """
    for own in config["layouts"].values():
        pattern.compiled(own["pattern"])
    for name, channels in (("channels", config["channels"]), *config["channel_sets"].items()):
        _refuse_equal_sources(name if name == "channels" else f"channel_sets.{name}", channels)
    _refuse_equal_classes(config)
    refuse_missing_controls(config, plates)
    for plate, row in plates.items():
        classes = _annotated_classes(config, plate, row)
        own, _ = config_of_plate(config, row)
        _refuse_unknown_columns(own, plate, row, classes)
    refuse_odd_maps(config, plates)
    _refuse_unknown_truth(config["evaluate"]["truth_layer"], plates)


def _refuse_equal_sources(section: str, channels: Mapping[str, Any]) -> None:
    named: dict[str, str] = {}
    for name, spec in channels.items():
        if spec["source"] in named:
            raise BadConfig(
                seen=f"'{spec['source']}' for both '{section}.{named[spec['source']]}.source' and "
                f"'{section}.{name}.source'",
                wanted="a source of its own for each channel",
                do="correct one of them, or remove one of the channels",
            )
        named[spec["source"]] = name


def _refuse_equal_classes(config: Mapping[str, Any]) -> None:
    classify = config["classify"]
    if classify["training"] == "controls" and classify["positive"] == classify["negative"]:
        raise BadConfig(
            seen=f"'{classify['positive']}' for both 'classify.positive' and 'classify.negative'",
            wanted="two classes",
            do="give one of them another name",
        )


def _annotated_classes(config: Mapping[str, Any], plate: str, row: Row) -> list[str]:
    """Classes of the annotations of a plate, if its classifier learns from them."""
    if config["classify"]["training"] != "annotations":
        return []
    if not row["annotations"]:
        raise BadConfig(
            seen=f"no annotations for the plate {plate} in the sheet of plates",
            wanted="annotated cells for every plate, as 'classify.training' is annotations",
            do="write the path of a table into the column 'annotations', or set"
            " 'classify.training' to \"off\"",
        )
    classes = sorted(set(map(str, read_annotations(row["annotations"])["class"])))
    if len(classes) < 2:
        raise BadConfig(
            seen=f"one class, '{classes[0]}', in {row['annotations']}",
            wanted="annotated cells of two classes or more, to train a classifier",
            do=f"annotate cells that are not '{classes[0]}' too",
        )
    return classes


def _refuse_unknown_columns(
    config: Mapping[str, Any], plate: str, row: Row, classes: Sequence[str]
) -> None:
    """Ratios and readouts; the channels of a plate in place are those of its metadata."""
    if row["layout"] != "ome-zarr":
        refuse_unknown_readouts(config, config["channels"], classes, plate=plate)
        return
    path, acquisition = Path(row["images"]), config["ingest"]["acquisition"]
    from cellpipe.readers import in_place
    from cellpipe.readers.layouts import ome_zarr

    first = ome_zarr.first_channels(path, acquisition)
    try:
        if first is not None:
            return refuse_unknown_sources_and_readouts(config, plate, first, classes)
    except BadConfig:
        pass  # the first image may be unlike the rest: the others decide
    try:
        labels = in_place.common_channels(ome_zarr.describe_source(path, acquisition))
    except Unreachable:
        return  # a share that is away: the inspection waits, and checks
    refuse_unknown_sources_and_readouts(config, plate, labels, classes)


def refuse_unknown_sources_and_readouts(
    config: Mapping[str, Any], plate: str, sources: Sequence[str], classes: Sequence[str]
) -> None:
    """Raise BadConfig for a channel, ratio or readout that a plate with these channels lacks.

    sources : channels as the images call them
    """
    from cellpipe.readers.inspection import refuse_absent_channels

    names = {spec["source"]: name for name, spec in config["channels"].items()}
    refuse_absent_channels(names, set(sources))
    channels = [names.get(source, source) for source in sources]
    refuse_unknown_readouts(config, channels, classes, plate=plate)


def _refuse_unknown_truth(layer: str | None, plates: Mapping[str, Row]) -> None:
    """Refuse a label layer that the truth of no plate has."""
    truths = [Path(row["truth"]) for row in plates.values() if row["truth"]]
    if layer is None:
        return
    if not truths:
        raise BadConfig(
            seen=f"'{layer}' for 'evaluate.truth_layer', and no 'truth' in the sheet of plates",
            wanted="a plate with a ground truth, in whose labels the layer is",
            do="name it in the column 'truth' of the sheet, or remove 'evaluate.truth_layer'",
        )
    known: set[str] = set()
    for found in itertools.chain.from_iterable(map(_true_layers, truths)):
        if found == layer:
            return
        known.add(found)
    near = difflib.get_close_matches(layer, known, n=1)
    raise BadConfig(
        seen=f"'{layer}' for 'evaluate.truth_layer', which is not in {_listed(truths)}",
        wanted=f"a label layer of the truth: {_listed(sorted(known)) or 'there are none'}",
        do=f"write '{near[0]}'" if near else "correct 'evaluate.truth_layer', or leave it out",
    )


def _true_layers(truth: Path) -> Iterator[str]:
    """Label layers of a truth: of an OME-Zarr plate, of B03_1_<layer>.tif, categories of COCO."""
    if any((truth / name).is_file() for name in ("zarr.json", ".zattrs")):
        from cellpipe.readers.layouts.zarr_wells import attributes

        for labels in truth.glob("*/*/*/labels"):
            yield from map(str, attributes(labels).get("labels", []))
        return
    if truth.suffix.lower() == ".json":
        from cellpipe.readers.truth.coco import read_coco

        yield from read_coco(truth).categories.values()
        return
    for path in truth.glob("*_*_*.tif"):
        yield path.stem.split("_", maxsplit=2)[2]


def _listed(words: Iterable[object]) -> str:
    return ", ".join(map(str, words))
