"""The config and the sheet of plates as the workflow uses them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cellpipe.config import stages
from cellpipe.config.candidates import AUTO, candidates, is_chosen, name_of, with_engine
from cellpipe.config.files import load_yaml, validated
from cellpipe.config.objects import read_annotations
from cellpipe.config.plate_map import read_plate_map
from cellpipe.config.segmentation import refuse_other_kind, refuse_unknown_channels, settle
from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import local_path, on_windows, read_written
from cellpipe.networks.card import Card, load_card, weights_path
from cellpipe.readers.formats import refuse_unknown_layout
from cellpipe.segment.engines import FOREIGN
from cellpipe.segment.engines.licences import restriction
from cellpipe.segment.engines.weights import weights_card

SCREENS = "screens"  # folder of the results of screens, beside those of plates
PATHS = ("images", "plate_map", "annotations", "truth")  # columns of the sheet of plates


def checked_config(config: Mapping[str, Any], schemas: Path) -> dict[str, Any]:
    """The config with its defaults. Raises BadConfig for a fault, also between sections."""
    filled = validated(config, load_yaml(schemas / "config.schema.yaml"), source="the config")
    refuse_unknown_channels(filled)
    settle(filled["segment"], config["segment"])
    refuse_small_spots(filled)
    refuse_shards(filled["ingest"])
    return filled


def refuse_shards(ingest: Mapping[str, Any]) -> None:
    """Refuse shards in a version of OME-NGFF that has none."""
    if ingest["shards"] and ingest["ngff_version"] == "0.4":
        raise BadConfig(
            seen="'ingest.shards: true' with 'ingest.ngff_version: \"0.4\"', which has no shards",
            wanted="shards in OME-NGFF 0.5",
            do="set 'ingest.ngff_version' to \"0.5\", or 'ingest.shards' to false",
        )


def refuse_small_spots(config: Mapping[str, Any]) -> None:
    """Refuse spots too small for the engine, where the config gives the size of pixels."""
    detect, pixel_size_um = config["detect"], config["ingest"]["pixel_size_um"]
    if detect["channel"] and pixel_size_um:
        from cellpipe.detect.limits import refuse_diameter  # few plates have spots

        edges = pixel_size_um if isinstance(pixel_size_um, list) else [pixel_size_um]
        refuse_diameter(detect["engine"], detect["diameter_um"], min(edges))


def read_plates(
    sheet: str | Path, schemas: Path, layouts: Iterable[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Rows of the sheet of plates, by plate. Environment variables in paths are expanded.

    Plate maps are checked as far as they can be before it is known what was imaged; so are the
    names of layouts, if `layouts` gives those of the config.

    Raises BadConfig for a sheet that is not there, a fault in a row, or a plate named twice.
    """
    path = Path(sheet)
    if not path.is_file():
        raise BadConfig(
            seen=f"no file {path}",
            wanted="a sheet of plates (TSV: plate, images, layout, plate_map)",
            do="write it, or correct 'plates' in the config",
        )
    schema = load_yaml(schemas / "plates.schema.yaml")
    plates: dict[str, dict[str, Any]] = {}
    for line, row in _rows(path):
        checked = validated(row, schema, source=f"{path} row {line}")
        if checked["plate"] in plates:
            raise BadConfig(
                seen=f"the plate '{checked['plate']}' twice in {path}",
                wanted="one row per plate",
                do=f"rename or remove row {line}",
            )
        if twin := _same_without_case(checked["plate"], plates):
            raise BadConfig(
                seen=f"the plates '{twin}' and '{checked['plate']}' in {path}",
                wanted="names that differ in more than capitals: where case is ignored, "
                "one plate would overwrite the other",
                do=f"rename the plate in row {line}",
            )
        if checked["plate"].lower() == SCREENS:
            raise BadConfig(
                seen=f"a plate named '{checked['plate']}' in {path} row {line}",
                wanted="another name: this is the folder of the results of screens",
                do="rename it",
            )
        named = [row["screen"] for row in plates.values()]
        if checked["screen"] not in named and (
            twin := _same_without_case(checked["screen"], filter(None, named))
        ):
            raise BadConfig(
                seen=f"the screens '{twin}' and '{checked['screen']}' in {path}",
                wanted="names that differ in more than capitals",
                do=f"write '{twin}' in row {line} if the plate belongs to it, or rename the screen",
            )
        for key in PATHS:
            checked[key] = local_path(os.path.expandvars(checked[key]))
        refuse_odd_paths({f"{sheet} row {line}, {key}": checked[key] for key in PATHS})
        _refuse_absent_files(checked, path, line)
        if layouts is not None:
            refuse_unknown_layout(checked["layout"], layouts)
        if checked["plate_map"]:
            read_plate_map(checked["plate_map"], [])
        if checked["annotations"]:
            read_annotations(checked["annotations"])
        plates[checked["plate"]] = checked
    if not plates:
        raise BadConfig(seen=f"no plate in {path}", wanted="a row per plate", do="add one")
    return plates


def screens(plates: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Plates of each screen that the sheet names, in its order."""
    found: dict[str, list[str]] = {}
    for plate, row in plates.items():
        if row["screen"]:
            found.setdefault(row["screen"], []).append(plate)
    return found


def _same_without_case(name: str, others: Iterable[str]) -> str | None:
    return next((other for other in others if other.lower() == name.lower()), None)


def _rows(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows of the sheet with their numbers."""
    written = read_written(sheet, "sheet of plates", header=("plate", "images", "layout"))
    rows = zip(written.cells.index, written.cells.to_dict("records"), strict=True)
    return [(int(number), {str(key): cell for key, cell in row.items()}) for number, row in rows]


def _refuse_absent_files(row: Mapping[str, Any], sheet: Path, line: int) -> None:
    for key in PATHS:
        if row[key] and not Path(row[key]).exists():
            unset = " (an environment variable in it is not set)" if "$" in row[key] else ""
            windows = on_windows(row[key])
            raise BadConfig(
                seen=f"no {key.replace('_', ' ')} at {row[key]}{unset} ({sheet} row {line})",
                wanted="a path that is there, seen from the folder where you run",
                do=f"correct '{key}'"
                + (", a path of Windows, to the one that this machine has" if windows else ""),
            )


def refuse_odd_paths(paths: Mapping[str, Any], odd: str = "{}") -> None:
    """Raise BadConfig for a path with a character that Snakemake, or PYTHONPATH, cannot take.

    Snakemake takes braces for its own wildcards. Blanks, quotes, ``;``, ``$`` are only names.
    """
    for what, path in paths.items():
        if found := [character for character in odd if character in str(path)]:
            raise BadConfig(
                seen=f"'{found[0]}' in the path {path} ({what})",
                wanted=f"a path without {' '.join(odd)}",
                do="rename the folder or file, or name it by a link",
            )


def label_names(config: Mapping[str, Any]) -> list[str]:
    """Label layers that a plate gets; the first holds the objects that the rows of tables are."""
    names = [config["segment"]["objects"]]
    if config["segment"]["cells"]["method"] != "off":
        names.append("cells")
    if config["track"]["enabled"] and config["track"]["keep_labels"]:
        names.append("tracks")
    return names


def networks(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """The weights that the config names: name, digest, sha256, licence, trained_on, used_by;
    where the licence is stated, and what stands against commercial use, "" for nothing.

    Raises CellpipeError for weights that are missing or do not match their card.
    """
    return [
        {
            "name": card.name,
            "digest": card.digest,
            "sha256": card.sha256,
            "licence": card.licence,
            "trained_on": card.trained_on,
            "used_by": use,
            "licence_source": (source := str(card.extra.get("licence_source", ""))),
            "restriction": restriction(card.licence, source, card.trained_on),
        }
        for use, card in _cards(config).items()
    ]


def restricted(networks: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Of `networks`, those with something against commercial use: name, used_by, restriction."""
    keys = ("name", "used_by", "restriction")
    return [{key: each[key] for key in keys} for each in networks if each["restriction"]]


def segmenting(config: Mapping[str, Any]) -> dict[str, Any]:
    """Options of segmentation that can alter its results: all but the licence of the weights."""
    segment = config["segment"]
    nuclei = _without_licence(segment["nuclei"])
    if is_chosen(segment):
        named = [_without_licence(each) for each in nuclei[AUTO]["candidates"]]
        nuclei[AUTO] = {**nuclei[AUTO], "candidates": named}
    return {**segment, "nuclei": nuclei}


def _without_licence(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "licence"}


def _cards(config: Mapping[str, Any]) -> dict[str, Card]:
    """Cards of the weights that the config names, by what uses them."""
    cards: dict[str, Card] = {}
    cells, several = config["segment"]["cells"], is_chosen(config["segment"])
    for number, nuclei in enumerate(candidates(config["segment"]), 1):
        if nuclei["engine"] != "classical":
            named = nuclei["engine"], nuclei["weights"], nuclei["licence"]
            use = f"segment candidate {number}" if several else "segment"
            cards[use] = refuse_other_kind(weights_card(*named))
    if cells["method"] == "network":
        cards["segment cells"] = load_card(cells["weights"])
    if config["denoise"]["method"] == "learned":
        cards["denoise"] = weights_card("cellpipe", "denoise")
    if finds_spots_by_network(config):
        card = load_card(config["detect"]["weights"])
        cards["detect"] = refuse_other_kind(card, "spots", "detect")
    if judges_links_by_network(config):
        card = load_card(config["track"]["weights"])
        cards["track"] = refuse_other_kind(card, "linking", "track")
    return cards


def finds_spots_by_network(config: Mapping[str, Any]) -> bool:
    """Whether spots are detected by a network."""
    detect = config["detect"]
    return detect["channel"] is not None and detect["engine"] == "learned"


def judges_links_by_network(config: Mapping[str, Any]) -> bool:
    """Whether cells are linked over time with a network."""
    track = config["track"]
    return track["enabled"] and track["weights"] is not None


def weights_of(config: Mapping[str, Any], stage: str) -> dict[str, str]:
    """Networks that a stage uses, name → digest, so that other weights mean other results.

    A network that denoises while segmentation reads belongs to the stage "segment".
    """
    running = stages.running(config)
    users = {use: use.split()[0] for use in _cards(config)}
    users = {use: user if user in running else "segment" for use, user in users.items()}
    return {card.name: card.digest for use, card in _cards(config).items() if users[use] == stage}


def weights_of_engines(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Networks of the stage "segment", by the name of the engine that finds the objects."""
    segment = config["segment"]
    return {
        name_of(candidate): weights_of(
            {**config, "segment": with_engine(segment, candidate)}, "segment"
        )
        for candidate in candidates(segment)
    }


def exported_weights(config: Mapping[str, Any]) -> Path:
    """Weights of ours that can be exported as a package: those in use, or the shipped ones."""
    own = [n["weights"] for n in candidates(config["segment"]) if n["engine"] == "cellpipe"]
    return weights_path(own[0] if own else "nuclei")


def segment_environment(config: Mapping[str, Any]) -> str:
    """Name of the environment that segmentation runs in: engines of other projects have theirs."""
    engines = [nuclei["engine"] for nuclei in candidates(config["segment"])]
    foreign = [engine for engine in engines if engine in FOREIGN]
    return f"segment_{foreign[0]}" if foreign else "segment"


def detect_environment(config: Mapping[str, Any]) -> str:
    """Name of the environment for spot detection: a network needs torch."""
    return "segment" if finds_spots_by_network(config) else "measure"


def track_environment(config: Mapping[str, Any]) -> str:
    """Name of the environment that cells are linked in: a network needs torch."""
    return "segment" if judges_links_by_network(config) else "track"


def readouts(config: Mapping[str, Any]) -> list[str]:
    """Columns of the table of wells that are evaluated and shown.

    Those of the config, the fraction of cells of the positive class, and the readout of hits; else
    the number of cells.
    """
    wanted = list(config["profile"]["readouts"])
    if config["classify"]["training"] == "controls":
        wanted.append(f"fraction_{config['classify']['positive']}")
    if config["profile"]["hit_readout"]:
        wanted.append(config["profile"]["hit_readout"])
    return list(dict.fromkeys(wanted)) or ["n_cells"]
