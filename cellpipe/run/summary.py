"""The end of a run in a few lines: what was used, left out, not judged, not made; Z′.

tables, lists ──► summarise ──► results/P/summary.json ──► printed   at the end of the run
                                                     └──► not_whole  decides the exit status
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpipe.errors import CellpipeError
from cellpipe.run.separation import in_a_line, separation

if TYPE_CHECKING:
    import pandas as pd

PASSED_OVER = "passed over"  # status in quarantine.tsv of images that are not part of the plate
PLATE_MAP = "plate map"  # in place of a file, of wells that it alone names
SHOWN = 4  # names in a line


def summarise(
    inspection: Mapping[str, Any],
    *,
    wells: pd.DataFrame,
    statistics: pd.DataFrame,
    quarantine: pd.DataFrame,
    warnings: pd.DataFrame,
    not_made: pd.DataFrame,
    notes: Iterable[str] = (),
) -> dict[str, Any]:
    """The summary of a plate at the end of its run, as plain values.

    Parameters
    ----------
    inspection : what was found in the folder
    wells : wells.parquet; quarantine, warnings : the tables of that name, as text
    statistics : statistics.tsv
    not_made : rule, what, reason, do
    notes : what was noted when the plate map was read
    """
    lost = left_out(inspection, quarantine)
    fields = {(field["well"], field["field"]) for field in inspection["fields"]}
    used = {place for place in fields if place not in lost["fields"]}
    over = quarantine[_status(quarantine) == PASSED_OVER]
    return {
        "plate": inspection["plate"],
        "wells": len(wells),
        "wells_used": len({well for well, _ in used}),
        "fields": lost["n_fields"],
        "fields_used": lost["n_fields"] - len(lost["fields"]),
        "frames": lost["n_frames"],
        "frames_left_out": lost["n_left_out"],
        "frames_missing": lost["n_missing"],
        "wells_left_out": lost["wells"],
        "failed": _failed(quarantine),
        "passed_over": _passed_over(inspection, over),
        "separation": separation(wells, statistics),
        "not_judged": _not_judged(wells),
        "not_made": not_made[["what", "reason", "do"]].to_dict("records"),
        "warnings": warnings[["kind", "where", "seen", "do"]].to_dict("records"),
        "notes": list(notes),
    }


def left_out(inspection: Mapping[str, Any], quarantine: pd.DataFrame) -> dict[str, Any]:
    """Fields and frames of a plate, and those of them that were left out.

    A row of the quarantine without a frame counts for all frames of its field. Field 0 means a
    well of which nothing can be used (unless fields are numbered from 0): it counts for as many
    fields as most wells have, but for one where files of another name are all that speaks for it,
    and for none where the plate map alone names it.
    """
    frames = {(f["well"], int(f["field"])): int(f.get("n_t", 1)) for f in inspection["fields"]}
    usual, from_0 = max(frames.values(), default=1), any(field == 0 for _, field in frames)
    found = Counter(well for well, _ in frames)
    per_well = Counter(found.values()).most_common(1)
    lost: dict[tuple[str, int], set[int]] = {}
    missing: set[tuple[str, int, int]] = set()
    for row in quarantine.assign(status=_status(quarantine)).to_dict("records"):
        well, number = str(row["well"]), str(row["field"])
        if number == "" or (row["status"] == PASSED_OVER and number != "0"):
            continue
        places = [(well, int(number))]
        if number == "0" and not from_0:
            if row.get("file") == PLATE_MAP or well in found:
                continue
            known = row["status"] != PASSED_OVER and per_well
            places = [(well, -k) for k in range(per_well[0][0] if known else 1)]
        for place in places:
            n = frames.setdefault(place, usual)  # its headers could not be read
            here = range(n) if str(row["t"]) == "" else [int(row["t"])]
            lost.setdefault(place, set()).update(here)
            if row["status"] == "missing":
                missing.update((*place, t) for t in here)
    whole = {place for place, missing in lost.items() if len(missing) >= frames[place]}
    return {
        "n_fields": len(frames),
        "n_frames": sum(frames.values()),
        "n_left_out": sum(map(len, lost.values())),
        "n_missing": len(missing),
        "fields": whole,
        "wells": sorted({well for well, _ in lost}),
    }


def not_whole(summary: Mapping[str, Any], max_left_out: float) -> CellpipeError | None:
    """Why a plate that was finished ends with an error status; None if all is well."""
    faults = _faults(summary, max_left_out)
    if not faults:
        return None
    seen, wanted, do = ("; ".join(dict.fromkeys(words)) for words in zip(*faults, strict=True))
    plate = summary["plate"]
    return CellpipeError(
        seen=f"plate {plate}, finished but not whole: {seen}", wanted=wanted, do=do
    )


def _faults(summary: Mapping[str, Any], max_left_out: float) -> list[tuple[str, str, str]]:
    """What was seen, what was wanted, and what to do, of each fault."""
    faults = []
    n, lost = summary["frames"], summary["frames_left_out"]
    if n and lost > max_left_out * n:
        missing = summary.get("frames_missing", 0)
        why = f", {'all' if missing == lost else f'{missing:,} of them'} without an image"
        faults.append(
            (
                f"{lost:,} of {n:,} {_unit(summary)} were left out ({lost / n:.1%})"
                f"{why if missing else ''}, of wells {_some(summary['wells_left_out'])}",
                f"at most {max_left_out:.0%} left out ('max_left_out')",
                "see quarantine.tsv for the remedy of each, then run again; if they are lost for "
                f"good, set 'max_left_out' in the config to {math.ceil(1000 * lost / n) / 1000:g} "
                "or more",
            )
        )
    for why, places in summary.get("failed", {}).items():
        faults.append(
            (
                f"{_some(places)} failed: {why}",
                "a stage that processes every frame, or reports why it cannot",
                "for what failed: see its remedy in quarantine.tsv; the other fields are finished",
            )
        )
    if summary["not_made"]:
        names = [row["what"] for row in summary["not_made"]]
        remedies = dict.fromkeys(row["do"] for row in summary["not_made"])
        faults.append(
            (
                f"{len(names)} not made: {_some(names)}",
                "everything that the config requests",
                f"for what was not made: {'; '.join(list(remedies)[:SHOWN])}",
            )
        )
    return faults


def _unit(summary: Mapping[str, Any]) -> str:
    return "fields" if summary["frames"] == summary["fields"] else "frames"


def told(summary: Mapping[str, Any], folder: Path) -> list[str]:
    """Lines about one plate, the first with its report."""
    lines = [f"{summary['plate']}: {(folder / 'report.html').resolve()}"]
    used = (
        f"{summary['wells_used']:,} of {summary['wells']:,} wells, "
        f"{summary['fields_used']:,} of {summary['fields']:,} fields used"
    )
    lines += [used, *in_a_line(summary.get("separation"))]
    if summary["frames_left_out"]:
        lines.append(
            f"left out: {summary['frames_left_out']:,} of {summary['frames']:,} "
            f"{_unit(summary)}, of wells "
            f"{_some(summary['wells_left_out'])}: see {folder / 'quarantine.tsv'}"
        )
    if summary["passed_over"]["files"]:
        lines.append(
            f"passed over: {_files(summary['passed_over']['files'])}"
            + "".join(f"; {reason}" for reason in summary["passed_over"]["reasons"])
        )
    for reason, names in summary["not_judged"].items():
        lines.append(f"cannot be judged, {reason}: {len(names):,} wells, {_some(names)}")
    for row in summary["not_made"]:
        lines.append(f"not made: {row['what']}: {row['reason']}; {row['do']}")
    for row in summary["warnings"][:SHOWN]:
        lines.append(f"warning, {row['kind']}: {row['where']}: {row['seen']}; {row['do']}")
    if len(summary["warnings"]) > SHOWN:
        more = len(summary["warnings"]) - SHOWN
        lines.append(f"{more} more warnings: see {folder / 'warnings.tsv'}")
    return [lines[0], *(f"  {line}" for line in [*lines[1:], *summary["notes"]])]


def _files(n: int) -> str:
    return f"{n:,} file{'s' * (n != 1)}"


def end_of_run(
    results: Path,
    plates: Iterable[str],
    stopped: Mapping[str, list[str]],
    screens: Iterable[str] = (),
) -> str:
    """What is printed when a run ends.

    Parameters
    ----------
    plates : those that the run was to bring to their summary
    stopped : plate → rules whose jobs failed or were not started
    screens : those whose plates the run was to join
    """
    lines: list[str] = []
    for plate in plates:
        path = results / plate / "summary.json"
        if rules := stopped.get(plate):
            lines.append(f"{plate}: not finished, at {_some(rules)}")
            why = [_why(results / "logs" / rule, plate) for rule in dict.fromkeys(rules)]
            lines += [f"  {line}" for line in why if line] or [f"  see {results / 'logs'}"]
        elif path.is_file():
            lines += told(json.loads(path.read_text(encoding="utf-8")), results / plate)
    for screen in screens:
        lines += _told_of_screen(screen, results / "screens" / screen, results / "logs")
    return "\n".join(["", *lines]) if lines else ""


def _told_of_screen(screen: str, folder: Path, logs: Path) -> list[str]:
    """The page of a screen and its hits, or why there is none."""
    if not (folder / "report.html").is_file():
        why = _why(logs / "join_plates", screen)
        return [f"{screen}: plates are not joined", *([f"  {why}"] if why else [])]
    import csv  # most runs have no screen

    with (folder / "hits.tsv").open(encoding="utf-8", newline="") as file:
        called = [row["hit"] for row in csv.DictReader(file, delimiter="\t")]
    n_hits, unknown = called.count("True"), called.count("")
    lines = [f"{screen}: {(folder / 'report.html').resolve()}"]
    lines.append(f"  {n_hits:,} hits of {len(called):,} treatments")
    if unknown:
        lines[-1] += f", {unknown:,} cannot be judged: see {folder / 'hits.tsv'}"
    return lines


def _why(logs: Path, plate: str) -> str:
    """The end of the newest log of a rule; empty for a job that never began."""
    files = [*logs.glob(f"{plate}.log"), *logs.glob(f"{plate}/*.log")]
    ends = {path: path.read_text(encoding="utf-8", errors="replace") for path in files}
    errors = [path for path in files if " ERROR " in ends[path]]
    if errors:
        path = max(errors, key=lambda path: path.stat().st_mtime)
        return f"{ends[path].partition(' ERROR ')[2].splitlines()[0]} ({path})"
    cut = [path for path in files if not ends[path].rstrip().endswith(" done")]
    if cut:
        return f"{cut[0]} ends without a message: the job was killed"
    return ""


def _status(quarantine: pd.DataFrame) -> pd.Series:
    named = quarantine if "status" in quarantine else quarantine.assign(status="quarantined")
    return named["status"]


def _failed(quarantine: pd.DataFrame) -> dict[str, list[str]]:
    """Reason → places of frames on which a stage met an error that was not expected."""
    failed = quarantine[_status(quarantine) == "failed"]
    places = failed["well"] + " field " + failed["field"].astype(str)
    return {str(why): list(dict.fromkeys(names)) for why, names in places.groupby(failed["reason"])}


def _passed_over(inspection: Mapping[str, Any], over: pd.DataFrame) -> dict[str, Any]:
    """Files of the folder that are not part of the plate: how many, and those that were images."""
    groups = inspection.get("files", {}).get("passed_over", [])
    images = [f"{g['files']:,} × {g['reason']}" for g in groups if g["image"]]
    return {
        "files": sum(group["files"] for group in groups) if groups else len(over),
        "reasons": images[:SHOWN],
    }


def _not_judged(wells: pd.DataFrame) -> dict[str, list[str]]:
    """Sample wells that are neither hits nor no hits: reason → wells. Controls are never judged."""
    if "hit_reason" not in wells:
        return {}
    reasons = wells["hit_reason"].fillna("").astype(str)
    open_wells = wells[(reasons != "") & wells["hit"].isna()]
    if "control" in wells:
        open_wells = open_wells[open_wells["control"].fillna("") == ""]
    groups = open_wells.groupby(reasons[open_wells.index], sort=True)["well"]
    return {str(reason): list(map(str, names)) for reason, names in groups}


def _some(names: Iterable[str]) -> str:
    names = list(dict.fromkeys(map(str, names)))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
