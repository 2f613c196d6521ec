"""Active treatments of simulated profiles: how many are found, and how many where there are none?

python studies/screens/activity.py [--screens 30]     with `pip install copairs==0.5.5`: beside it

2 plates of 96 wells, 16 negative controls each, 80 treatments of one well per plate; features are
normal and correlate; 20 treatments are active, or none.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from cellpipe.profiles.cytominer import metadata_columns, profile_features
from cellpipe.profiles.screens.activity import TREATMENT, activity
from cellpipe.wells import well_at

MAX_FDR = 0.05


def profiles(n_active: int, n_features: int, seed: int, n_plates: int = 2) -> pd.DataFrame:
    """Profiles of a small screen; treatments c000 … of which the first are active."""
    rng = np.random.default_rng(seed)
    wells = [well_at(r, c) for r in range(1, 9) for c in range(1, 13)]
    control = np.array(["negative" if int(well[1:]) in (1, 12) else "" for well in wells])
    names = np.where(control == "", "", "DMSO").astype(object)
    names[control == ""] = [f"c{k:03d}" for k in range((control == "").sum())]
    effects = 3 * rng.normal(size=(n_active, n_features))
    mixing = np.eye(n_features) + 0.3
    tables = []
    for plate in range(n_plates):
        values = rng.normal(size=(len(wells), n_features)) @ mixing
        values[np.flatnonzero(control == "")[:n_active]] += effects
        values -= np.median(values[control == "negative"], axis=0)
        table = pd.DataFrame(values, columns=[f"Nuclei_f{k}" for k in range(n_features)])
        facts = {
            "Metadata_Plate": f"P{plate}", "Metadata_Well": wells, "Metadata_control": control,
            TREATMENT: names,
        }  # fmt: skip
        tables.append(pd.concat([pd.DataFrame(facts), table], axis=1))
    return pd.concat(tables, ignore_index=True)


def by_copairs(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """treatment, map, q by copairs' average precision and its null of shuffled ranks."""
    from copairs.map import average_precision, mean_average_precision

    negative = table["Metadata_control"].eq("negative").to_numpy()
    table = table.assign(
        Metadata_Reference=np.where(negative, np.arange(len(table)), -1),
        Metadata_Same=np.where(negative, "control", table[TREATMENT]),
    )
    keys = ["Metadata_Same", "Metadata_Reference"]
    scores = average_precision(
        table[metadata_columns(table)], table[profile_features(table)].to_numpy(),
        pos_sameby=keys, pos_diffby=[], neg_sameby=["Metadata_Plate"], neg_diffby=keys,
        progress_bar=False,
    )  # fmt: skip
    found = mean_average_precision(
        scores[scores["Metadata_Reference"].eq(-1)], ["Metadata_Same"], null_size=10_000,
        threshold=MAX_FDR, seed=seed, progress_bar=False,
    )  # fmt: skip
    names = {"Metadata_Same": "treatment", "mean_average_precision": "map"}
    found = found.rename(columns={**names, "corrected_p_value": "q"})
    return found[["treatment", "map", "q"]]


def main() -> None:
    options = _options()
    methods = {"cellpipe": lambda table, seed: activity(table, MAX_FDR, seed)[0]}
    try:
        import copairs  # noqa: F401

        methods["copairs"] = by_copairs
    except ImportError:
        print("without copairs, which is not installed")
    rows = []
    for n_active in (20, 0):
        for n_features in (6, 40, 200):
            tables = [profiles(n_active, n_features, seed) for seed in range(options.screens)]
            maps = {}
            for name, method in methods.items():
                started, right, wrong, any_wrong = time.process_time(), 0, 0, 0
                for seed, table in enumerate(tables):
                    found = method(table, seed)
                    called = found.loc[found["q"] <= MAX_FDR, "treatment"]
                    n_right = int((called < f"c{n_active:03d}").sum())
                    right, wrong = right + n_right, wrong + len(called) - n_right
                    any_wrong += len(called) > n_right
                    maps.setdefault(name, []).append(found.set_index("treatment")["map"])
                rows.append(
                    {
                        "active": n_active, "features": n_features, "method": name,
                        "found": right / max(1, n_active * len(tables)),
                        "false": wrong / max(1, right + wrong),
                        "screens with a false one": any_wrong / len(tables),
                        "CPU s": (time.process_time() - started) / len(tables),
                    }
                )  # fmt: skip
            if len(maps) > 1:
                pairs = zip(*maps.values(), strict=True)
                apart = max(float((a - b.reindex(a.index)).abs().max()) for a, b in pairs)
                print(f"greatest difference of mean average precisions: {apart:.2g}")
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--screens", type=int, default=30)
    return parser.parse_args()


if __name__ == "__main__":
    main()
