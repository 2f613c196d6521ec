"""Whatever is written for an option, it is taken or answered with what to type: never a traceback.

every option × null, true, text, "0,5", -1, 96.0, .inf, [], {}, a list of lists … ──► words
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from drawn_pairs import CONFIG as TRAINING
from test_config import LEAST
from test_training_linking import CONFIG as LINKING

from cellpipe.config.files import SCHEMAS, load_schema
from cellpipe.config.names import refuse_unknown_names
from cellpipe.config.options import options, sections
from cellpipe.config.sheets import checked_config
from cellpipe.errors import CellpipeError
from cellpipe.training.plan import read_plan

WRONG: list[Any] = [
    *(None, True, -1, 96.0, float("inf"), "", "off", "0,5"),
    *([None], [[1]], {}, {1: 2}, datetime.date(2026, 1, 1)),
]


def places(schema: str) -> Iterator[str]:
    """Dotted names of all options and sections, with a name where one may be chosen."""
    whole = load_schema(schema)
    names = [option.name for option in options(whole)]
    names += [name for name, part in sections(whole) if name and "items" not in part]
    yield from dict.fromkeys(name.replace("<name>", "dna") for name in names)


def with_value(config: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The config with one value changed; of a list of sections, that of the first."""
    changed = at = copy.deepcopy(config)
    *parts, last = name.split(".")
    for part in parts:
        at = at.setdefault(part, {})
        at = at.setdefault(0, {}) if isinstance(at, dict) and part == "sets" else at
        at = at[0] if isinstance(at, list) else at
    at[last] = value
    return changed


def run(config: dict[str, Any]) -> None:
    """What a run checks before any job, for a plate without map, annotations and truth."""
    row = {"images": "i", "layout": "csv", "plate_map": "", "annotations": "", "truth": ""}
    refuse_unknown_names(checked_config(config, SCHEMAS), {"P": row})


@pytest.mark.parametrize(
    ("schema", "base", "check"),
    [("config", LEAST, run), ("training", TRAINING, read_plan), ("linking", LINKING, read_plan)],
    ids=["run", "training", "linking"],
)
def test_every_wrong_value_of_every_option_is_taken_or_answered(
    schema: str, base: dict[str, Any], check: Callable[[dict[str, Any]], Any]
) -> None:
    check(copy.deepcopy(base))
    n_refused = n_silent = 0
    for name in places(schema):
        for value in WRONG:
            config = with_value(base, name, value)
            try:
                check(config)
            except CellpipeError as fault:
                n_refused += 1
                n_silent += not all((fault.seen, fault.wanted, fault.do))
            except Exception as error:
                raise AssertionError(f"{value!r} for {name}: {type(error).__name__}") from error
    assert n_silent == 0
    assert n_refused > 900 / (1 + 2 * (schema == "linking"))
