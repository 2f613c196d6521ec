"""Which treatments of a screen do the same: consensus profiles, a map of them, clusters.

    profiles of wells ──► consensus: median of each treatment ──► map (UMAP), clusters (HDBSCAN)

Clusters are of the profiles, not of the map, which keeps neighbours and no distances. UMAP:
McInnes, Healy & Melville, arXiv:1802.03426 (2018); HDBSCAN: Campello, Moulavi & Sander, PAKDD 7819,
160 (2013), by umap-learn and scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.profiles.cytominer import profile_features
from cellpipe.profiles.screens.activity import TREATMENT

if TYPE_CHECKING:
    import pandas as pd

LEAST = 20  # treatments, for a map
NEIGHBOURS, MIN_DISTANCE = 15, 0.1  # umap-learn's defaults
LEAST_OF_CLUSTER = 3  # treatments
COLUMNS = ("treatment", "n_wells", "cluster", "map_1", "map_2")


def consensus_profiles(profiles: pd.DataFrame) -> pd.DataFrame:
    """One row per treatment: Metadata_Treatment, Metadata_n_wells, medians of the features.

    Wells of a kind of control are one treatment, "negative control" and "positive control".

    profiles : from `join_profiles`
    """
    from pycytominer import consensus

    features = profile_features(profiles)
    control = profiles.get("Metadata_control")
    names = profiles[TREATMENT].astype(str)
    if control is not None:
        kind = control.fillna("").astype(str)
        names = names.where(kind.eq(""), kind + " control")
    named = profiles[features].assign(**{TREATMENT: names.to_numpy()})
    table = consensus(
        named, replicate_columns=[TREATMENT], operation="median", features=features
    ).sort_values(TREATMENT, kind="stable", ignore_index=True)
    table.insert(1, "Metadata_n_wells", table[TREATMENT].map(names.value_counts()).astype(int))
    return table


def similar_treatments(consensus: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, str]:
    """(COLUMNS, why there is no map): cluster is 0 for none, else from 1, the largest first.

    consensus : from `consensus_profiles`; seed : of the map
    """
    import pandas as pd

    features = profile_features(consensus)
    values = consensus[features].to_numpy("float64")
    table = pd.DataFrame(
        {
            "treatment": consensus[TREATMENT].astype(str),
            "n_wells": consensus["Metadata_n_wells"],
            "cluster": 0,
            "map_1": np.nan,
            "map_2": np.nan,
        }
    )
    if len(table) < LEAST or len(features) < 2:
        why = f"{len(table)} treatments and {len(features)} features"
        return table, f"no similarity map: {why}, {LEAST} and 2 are needed"
    import umap
    from sklearn.cluster import HDBSCAN

    units = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300)
    found = HDBSCAN(min_cluster_size=LEAST_OF_CLUSTER, copy=True).fit_predict(units)
    sizes = pd.Series(found[found >= 0]).value_counts(sort=True)
    numbers = {label: number for number, label in enumerate(sizes.index, 1)}
    table["cluster"] = [numbers.get(label, 0) for label in found]
    made = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(table) - 1), min_dist=MIN_DISTANCE, random_state=seed,
        n_jobs=1,
    ).fit_transform(units)  # fmt: skip
    table["map_1"], table["map_2"] = made.astype("float64").T
    return table[list(COLUMNS)], ""
