"""What a job on a block logs before its end: fields, objects, seconds, device, peak memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from pathlib import Path

COUNT = "n_nuclei"  # column of segment: objects of a frame, whatever they are


def facts_of_job(outputs: Iterable[Path], seconds: float) -> str:
    """One line. Fields, frames and objects are those of the block table, kept ones included.

    outputs : of the job; one without a block table gives no numbers of fields and objects
    """
    memory = peak_memory_mb()  # before anything is read to count
    facts = [words for path in outputs if path.suffix == ".parquet" for words in _counted(path)]
    facts += [f"{seconds:.1f} s", f"device {device_used()}", f"peak memory {memory:.0f} MB"]
    return ", ".join(facts)


def _counted(table: Path) -> list[str]:
    import pyarrow.parquet as pq  # here: the check of a config needs none of these

    from cellpipe.files.tables import read_table
    from cellpipe.run.receipts import read_receipts

    units = [receipt.unit for receipt in read_receipts(table)]
    fields = {(unit.well, unit.field) for unit in units}
    words = [f"{len(fields)} fields", f"{sum(u.t_stop - u.t_start for u in units)} frames"]
    file = pq.read_metadata(table)  # of tables of many cells no row is read
    columns = file.schema.to_arrow_schema().names
    if COUNT in columns:
        words.append(f"{int(read_table(table, [COUNT])[COUNT].sum())} objects")
    elif "label" in columns:  # a row per object
        words.append(f"{file.num_rows} objects")
    return words


def device_used() -> str:
    """Where networks ran: "cuda" only if this process has used the GPU, else "cpu"."""
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_initialized() else "cpu"


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10⁶ bytes).

    Linux keeps it per program (VmHWM); getrusage would include that of the program which started
    this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        (peak,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6
    except (OSError, ValueError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
