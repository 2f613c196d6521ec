"""Read tables, on the calling thread, and with their checksums."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from cellpipe.errors import CellpipeError

if TYPE_CHECKING:
    import pandas as pd  # and where a table of text is read

# columns of the lists of a plate that hold words and names
TEXTS = {
    "plate", "well", "layer", "stage", "status", "kind", "file", "path", "where", "seen", "fault",
    "reason", "likely_cause", "do", "remedy", "condition", "name", "readout",
}  # fmt: skip


class BadTable(CellpipeError):
    """A table of results is torn or was altered."""


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of a Parquet file; `columns` names those that are wanted, None all.

    On this thread alone. Arrow's own threads can outlive the reading, and a process that ends then
    is aborted after its work is done: https://github.com/apache/arrow/issues/34314.

    Raises BadTable for a file that is torn, or whose pages do not match their checksums.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            return file.read(columns, use_threads=False).to_pandas(use_threads=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as fault:
        raise BadTable(
            seen=f"{path} cannot be read ({str(fault).splitlines()[0]})",
            wanted="a whole table, as it was written",
            do="`cellpipe verify results/PLATE --mend` (the plate's folder) makes it again",
        ) from fault


def numeric_columns(path: str | Path) -> list[str]:
    """Names of the columns of numbers of a Parquet file, in its order; truth values are none."""
    schema = pq.read_schema(path)
    return [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]


def column_names(path: str | Path) -> list[str]:
    """Names of the columns of a Parquet file, in its order."""
    return list(pq.read_schema(path).names)


def read_statistics(path: str | Path) -> pd.DataFrame:
    """statistics.tsv of a plate; names of groups and notes are text, whatever their form."""
    import pandas as pd

    texts = ("readout", "kind", "group", "note")
    table = pd.read_csv(
        path, sep="\t", dtype=dict.fromkeys(texts, "str"), keep_default_na=False, na_values=[""]
    )
    return table.fillna(dict.fromkeys(texts, ""))


def read_listing(path: str | Path) -> pd.DataFrame:
    """A list of a plate, such as quarantine.tsv: names are text, whatever their form ("007", "NA").

    An empty cell of text is "".
    """
    import pandas as pd

    header = pd.read_csv(path, sep="\t", nrows=0)
    texts = [name for name in header if name in TEXTS]
    table = pd.read_csv(
        path, sep="\t", dtype=dict.fromkeys(texts, "str"), keep_default_na=False, na_values=[""]
    )
    return table.fillna(dict.fromkeys(texts, ""))


def read_hits(path: str | Path) -> pd.DataFrame:
    """hits.tsv of a plate, or of a screen: as `read_listing`, with a hit that may be unknown."""
    import pandas as pd

    table = read_listing(path)
    if "hit" not in table:
        return table
    known = {"True": True, "False": False}
    return table.assign(hit=pd.array([known.get(str(v)) for v in table["hit"]], dtype="boolean"))


def read_named(path: str | Path) -> pd.DataFrame:
    """A TSV whose first column holds names, which are text ("NA" and "1" too)."""
    import pandas as pd

    names = pd.read_csv(path, sep="\t", usecols=[0], dtype="str", keep_default_na=False)
    table = pd.read_csv(path, sep="\t")
    return table.assign(**{str(names.columns[0]): names.iloc[:, 0]})


def read_confusion(path: str | Path) -> pd.DataFrame:
    """confusion.tsv of a classifier: true classes in rows, predicted ones in columns, as text."""
    import pandas as pd

    table = pd.read_csv(path, sep="\t", dtype={0: "str"}, keep_default_na=False)
    return table.set_index(table.columns[0])
