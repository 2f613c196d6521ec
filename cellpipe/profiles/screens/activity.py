"""Profiles of all plates of a screen: which treatments do anything at all, in whatever feature.

    profiles of plates (normalised within each) ──► features that all have ──► selected ──► sphered?
                                                                                        └─► activity

A treatment is active if its wells are more like each other than like the negative controls of their
plates: mean average precision of retrieving its replicates, Kalinin et al., Nat. Commun. 16, 5181
(2025). The null is of control wells that are taken for treatments: shuffled ranks, as in copairs,
do not know how alike controls are, and count a perfect rank as rarer than it is. Sphering: Kessy,
Lewin & Strimmer, Am. Stat. 72, 309 (2018), by pycytominer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.profiles.cytominer import metadata_columns, profile_features, unselected_features
from cellpipe.profiles.screens.treatments import name_treatments
from cellpipe.statistics.discoveries import false_discovery_rate

if TYPE_CHECKING:
    import pandas as pd

TREATMENT = "Metadata_Treatment"
NULL_SIZE = 2_000  # draws of controls that a precision is compared with
LEAST_NULL = 19  # sets of control wells: fewer allow no p of 0.05
LEAST_CONTROLS = 8  # negative controls of a batch, to sphere by
CONTROLS_PER_DIRECTION = 2
ACTIVITY = ("treatment", "n_wells", "map", "p", "q", "active", "reason")


class Profiles(NamedTuple):
    """Joined profiles, an account of their features (feature, used, reason), and notes."""

    profiles: pd.DataFrame
    features: pd.DataFrame
    notes: list[str]


def join_profiles(
    tables: Mapping[str, pd.DataFrame],
    sheet: Mapping[str, Mapping[str, Any]],
    wells: pd.DataFrame,
    correction: str = "off",
) -> Profiles:
    """Profiles of all plates with the features that all have, without redundant ones.

    Parameters
    ----------
    tables : profiles/normalised.parquet of each plate
    sheet : of each plate its row of the sheet of plates
    wells : joined wells (`join_wells`), for names of treatments
    correction : "off", or "sphering" of each batch by its negative controls

    Returns
    -------
    Profiles
        Metadata_Screen, _Batch, _Replicate, _Treatment, those of the plates, then features.
    """
    import pandas as pd

    everything = dict.fromkeys(f for table in tables.values() for f in profile_features(table))
    reasons: dict[str, str] = {}
    for feature in everything:
        lacking = [plate for plate, table in tables.items() if feature not in table]
        if lacking:
            reasons[feature] = f"not measured on {', '.join(lacking)}"
    common = [feature for feature in everything if feature not in reasons]
    parts = []
    for plate, table in tables.items():
        facts = {
            f"Metadata_{name.capitalize()}": str(sheet[plate].get(name) or "")
            for name in ("screen", "batch", "replicate")
        }
        parts.append(table[[*metadata_columns(table), *common]].assign(**facts))
    joined = pd.concat(parts, ignore_index=True)
    named = wells.assign(treatment=name_treatments(wells))
    keys = named["plate"].astype(str) + "\t" + named["well"].astype(str)
    treatment = dict(zip(keys, named["treatment"], strict=True))
    own = joined["Metadata_Plate"].astype(str) + "\t" + joined["Metadata_Well"].astype(str)
    joined[TREATMENT] = own.map(treatment).fillna("")
    reasons |= unselected_features(joined[common])
    used = [feature for feature in common if feature not in reasons]
    joined = joined[[*metadata_columns(joined), *used]]
    joined[used] = joined[used].fillna(0.0)  # the few that are left: as the controls are
    notes: list[str] = []
    if correction == "sphering" and used:
        joined, notes = _sphered(joined, used)
    account = pd.DataFrame(
        [(f, f not in reasons, reasons.get(f, "")) for f in everything],
        columns=["feature", "used", "reason"],
    )
    return Profiles(joined, account, notes)


def _sphered(profiles: pd.DataFrame, features: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Profiles in which the negative controls of each batch vary alike in all directions.

    Controls determine as many directions as there are of them: with fewer than two of a batch for
    each feature, principal components take the place of the features. Else controls would be
    sphered by their own noise, lie nearer to each other than any sample could, and samples without
    effect be active.
    """
    import pandas as pd
    from pycytominer.operations import Spherize

    control = profiles.get("Metadata_control", pd.Series("", profiles.index)).fillna("").astype(str)
    batches = profiles["Metadata_Batch"]
    n = control.eq("negative").groupby(batches, sort=False).sum()
    if n.min() < LEAST_CONTROLS:
        few = ", ".join(f"{batch or 'without a batch'}: {k}" for batch, k in n.items())
        return profiles, [
            f"not sphered: {LEAST_CONTROLS} negative controls of each batch are needed ({few})"
        ]
    made, notes = profiles, []
    most = int(n.min()) // CONTROLS_PER_DIRECTION
    if most < len(features):
        made, features, note = _components(profiles, features, most)
        notes.append(note)
    values = made[features].to_numpy("float64").copy()
    for batch in dict.fromkeys(batches):
        own = batches.eq(batch).to_numpy()
        spherize = Spherize(method="ZCA", epsilon=1e-6, return_numpy=True)
        spherize.fit(made.loc[own & control.eq("negative").to_numpy(), features])
        values[own] = spherize.transform(made.loc[own, features])
        what = f"batch {batch!r}" if batch else "plates without a batch"
        notes.append(f"{what}: sphered by {n[batch]} negative controls")
    return made.assign(**dict(zip(features, values.T, strict=True))), notes


def _components(
    profiles: pd.DataFrame, features: list[str], most: int
) -> tuple[pd.DataFrame, list[str], str]:
    """Profiles with the first principal components in place of the features."""
    import pandas as pd
    from sklearn.decomposition import PCA

    fit = PCA(most, svd_solver="full").fit(profiles[features])
    names = [f"PC_{k}" for k in range(1, most + 1)]
    made = pd.DataFrame(fit.transform(profiles[features]), profiles.index, names)
    told = float(fit.explained_variance_ratio_.sum())
    return (
        pd.concat([profiles[metadata_columns(profiles)], made], axis=1),
        names,
        f"{most} principal components ({told:.0%} of the variance) take the place of"
        f" {len(features)} features: sphering needs {CONTROLS_PER_DIRECTION} negative controls of"
        " a batch for each",
    )


def activity(profiles: pd.DataFrame, max_fdr: float, seed: int) -> tuple[pd.DataFrame, str]:
    """(ACTIVITY columns, the most active treatment first; why there is none).

    Treatments with two wells or more are judged, on plates with negative controls. p is the share
    of as many control wells, drawn from the same number of plates and taken for a treatment, that
    resemble each other as much.

    Parameters
    ----------
    profiles : from `join_profiles`
    max_fdr : q (Benjamini-Hochberg) up to which a treatment is active
    seed : of the draws of controls
    """
    import pandas as pd

    features = profile_features(profiles)
    control = profiles.get("Metadata_control", pd.Series("", profiles.index)).fillna("").astype(str)
    negative, plates = control.eq("negative").to_numpy(), profiles["Metadata_Plate"].to_numpy(str)
    with_controls = [p for p in dict.fromkeys(plates) if (negative & (plates == p)).sum() > 1]
    named = profiles[TREATMENT].ne("").to_numpy()
    judged = control.eq("").to_numpy() & np.isin(plates, with_controls) & named
    counts = profiles.loc[judged, TREATMENT].value_counts()
    several = sorted(counts.index[counts > 1])
    empty = pd.DataFrame(columns=list(ACTIVITY))
    if not features:
        return empty, "no feature is left that all plates have"
    if not with_controls:
        return empty, "no plate has two negative controls"
    if not several:
        return empty, "no treatment has a second well"
    values = profiles[features].to_numpy("float64")
    units = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-300)
    own = {p: np.flatnonzero(negative & (plates == p)) for p in with_controls}
    wells = {t: np.flatnonzero(judged & profiles[TREATMENT].eq(t).to_numpy()) for t in several}
    score = {t: mean_average_precision(units, wells[t], plates, own) for t in several}
    nulls = {
        key: _null(units, key, plates, own, seed)
        for key in {_design(wells[t], plates) for t in several}
    }
    rows = []
    for treatment in several:
        design = _design(wells[treatment], plates)
        null, p, reason = nulls[design], np.nan, ""
        if len(null) < LEAST_NULL:
            reason = (
                f"{len(null)} ways to take control wells for a treatment of {sum(design)} wells on"
                f" {len(design)} plates, {LEAST_NULL} are needed"
            )
        else:
            p = (1 + np.sum(null >= score[treatment] - 1e-12)) / (1 + len(null))
        rows.append((treatment, len(wells[treatment]), score[treatment], p, reason))
    table = pd.DataFrame(rows, columns=["treatment", "n_wells", "map", "p", "reason"])
    table["q"] = false_discovery_rate(table["p"])
    table["active"] = (table["q"] <= max_fdr).astype("boolean").mask(table["reason"].ne(""))
    return table.sort_values(
        ["q", "map", "treatment"], ascending=[True, False, True], kind="stable", ignore_index=True
    )[list(ACTIVITY)], ""


def mean_average_precision(
    units: NDArray, wells: NDArray, plates: NDArray, controls: Mapping[str, NDArray]
) -> float:
    """Mean over `wells` of the average precision with which each finds the others.

    Each well ranks the others, and the negative controls of its plate, by cosine similarity;
    average precision is the mean, over the others, of the share of wells up to its rank that are
    of the treatment. Ties count against it.

    Parameters
    ----------
    units : (N, features) profiles of length 1
    wells : rows of the treatment; plates : (N,); controls : plate → rows of its controls
    """
    precisions = []
    for well in wells:
        mates = np.sort(units[wells[wells != well]] @ units[well])[::-1]
        others = np.setdiff1d(controls[plates[well]], wells)
        ahead = (units[others] @ units[well])[None, :] >= mates[:, None] - 1e-12
        place = np.arange(1, len(mates) + 1)
        precisions.append(float((place / (place + ahead.sum(axis=1))).mean()))
    return float(np.mean(precisions))


def _design(wells: NDArray, plates: NDArray) -> tuple[int, ...]:
    """How many wells of a treatment lie on one plate each, the most first."""
    _, n = np.unique(plates[wells], return_counts=True)
    return tuple(int(k) for k in sorted(n, reverse=True))


def _null(
    units: NDArray, design: tuple[int, ...], plates: NDArray, own: Mapping[str, NDArray], seed: int
) -> NDArray[np.float64]:
    """Mean average precisions of control wells that are taken for treatments of a design.

    Each set of wells counts once, so that few controls allow no small p; empty where plates, or
    controls of a plate, are too few for the design.
    """
    rng = np.random.default_rng([seed, *design])
    names = sorted(own)
    drawn: dict[tuple[int, ...], float] = {}
    for _ in range(NULL_SIZE):
        chosen = [names[k] for k in rng.permutation(len(names))[: len(design)]]
        if len(chosen) < len(design) or any(
            len(own[name]) <= n for name, n in zip(chosen, design, strict=True)
        ):
            continue
        wells = np.concatenate(
            [rng.permutation(own[name])[:n] for name, n in zip(chosen, design, strict=True)]
        )
        key = tuple(sorted(int(well) for well in wells))
        if key not in drawn:
            drawn[key] = mean_average_precision(units, wells, plates, own)
    return np.array(list(drawn.values()))
