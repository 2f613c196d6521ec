"""Well profiles in the names and with the methods that the field's other tools share.

Columns are Metadata_Plate, Metadata_Well, Metadata_<column of the plate map> …, then features by
compartment (Nuclei_, Cells_, Cytoplasm_). pycytominer does the sums: Serrano et al., Nat.
Methods 22, 677 (2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.classify.classifier import feature_columns
from cellpipe.measure.columns import cellprofiler_names, split
from cellpipe.profiles.features import Features
from cellpipe.statistics.spread import MIN_CONTROLS, spread_of

if TYPE_CHECKING:
    import pandas as pd

COMPARTMENTS = {"": "Nuclei", "cell": "Cells", "cytoplasm": "Cytoplasm"}
KEYS = ["Metadata_Plate", "Metadata_Well"]
OUR_NAMES: Mapping[str, str] = MappingProxyType({})


def well_profiles(
    cells: pd.DataFrame,
    plate_map: pd.DataFrame,
    named_for: Sequence[str] | None = None,
    features: Features | None = None,
) -> pd.DataFrame:
    """Augmented well profiles: Metadata_* columns, then the median of every measured feature.

    Features bear the compartment first, as the field's tools expect: Nuclei_dna_mean,
    Cells_actin_mean, Cytoplasm_actin_mean. Only wells that hold cells have a profile.

    named_for : channels of the plate, to write CellProfiler's names where it has the feature
        (Nuclei_Intensity_MeanIntensity_dna); values and their units stay. None: our names
    features : of the cells, where not all are columns of `cells`
    """
    import pandas as pd
    from pycytominer import annotate

    features = features or Features(feature_columns(cells))
    whole = "object" in cells and cells["object"].eq("cells").any()
    theirs = {} if named_for is None else cellprofiler_names(named_for, features.names)
    named = {n: compartment_name(n, whole_cells=whole, names=theirs) for n in features.names}
    keys = pd.DataFrame(
        {
            "Metadata_Plate": cells["plate"].astype(str),
            "Metadata_Well": cells["well"].astype(str),
            "Metadata_ObjectNumber": np.arange(len(cells)),  # what pycytominer counts
        },
        index=cells.index,
    )
    parts = [_medians(keys, part.rename(columns=named)) for part in features.in_parts(cells)]
    profiles = parts[0] if parts else _medians(keys, cells[[]])
    for part in parts[1:]:
        own = part.set_index(KEYS).reindex(pd.MultiIndex.from_frame(profiles[KEYS]))
        profiles = pd.concat(
            [profiles, own.drop(columns="Metadata_Object_Count").reset_index(drop=True)], axis=1
        )
    metadata = plate_map.astype({"well": str}).rename(columns={"well": "Metadata_Well"})
    return annotate(
        profiles, platemap=metadata, join_on=["Metadata_Well", "Metadata_Well"],
        add_metadata_id_to_platemap=True,
    )  # fmt: skip


def _medians(keys: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Medians by well; ratios to nothing do not count, as in medians of wells."""
    import pandas as pd
    from pycytominer import aggregate

    numbers = values.astype("float64").replace([np.inf, -np.inf], np.nan)
    return aggregate(
        pd.concat([keys, numbers], axis=1), strata=KEYS, features=list(values), operation="median",
        compute_object_count=True,
    )  # fmt: skip


def normalise_profiles(
    profiles: pd.DataFrame, references: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Profiles in robust standard deviations of the negative controls (of all wells without).

    (x - median) / scaled MAD, pycytominer's "mad_robustize"; where the MAD is 0, the standard
    deviation takes its place. Features without any spread there are not normalised: they stay as
    empty columns, and `feature_references` names them with the reason.
    """
    import pandas as pd

    references = feature_references(profiles) if references is None else references
    features = profile_features(profiles)
    centre, scale = (references[c].to_numpy("float64") for c in ("centre", "scale"))
    values = (profiles[features].to_numpy("float64") - centre) / scale
    normalised = pd.DataFrame(values, profiles.index, features)
    return pd.concat([profiles[metadata_columns(profiles)], normalised], axis=1)


def feature_references(profiles: pd.DataFrame) -> pd.DataFrame:
    """What each feature is normalised to, or why it is not.

    Wells that Metadata_incomplete marks are no reference.

    Returns
    -------
    DataFrame, one row per feature
        feature, reference ("negative controls" or "all wells"), n_reference, centre, scale, method
        ("MAD" or "standard deviation"), normalised (bool), reason
    """
    import pandas as pd

    complete = profiles
    if "Metadata_incomplete" in profiles:
        complete = profiles[~profiles["Metadata_incomplete"].fillna(False).astype(bool)]
    kinds = complete.get("Metadata_control", complete["Metadata_Well"])
    negative = complete[kinds == "negative"]
    enough = len(negative) >= MIN_CONTROLS
    chosen, name = (negative, "negative controls") if enough else (complete, "all wells")
    rows = []
    for feature in profile_features(profiles):
        spread = spread_of(chosen[feature])
        reason = ""
        if not np.isfinite(spread.scale):
            few = f"only {spread.n} of the {name} have a value, {MIN_CONTROLS} are needed"
            same = f"the {spread.n} {name} all have the same value ({spread.centre:.4g})"
            reason = few if spread.n < MIN_CONTROLS else same
        rows.append(
            (feature, name, spread.n, spread.centre, spread.scale, spread.method, not reason,
             reason)
        )  # fmt: skip
    columns = ["feature", "reference", "n_reference", "centre", "scale", "method", "normalised"]
    return pd.DataFrame(rows, columns=[*columns, "reason"])


def select_profile_features(profiles: pd.DataFrame) -> pd.DataFrame:
    """Profiles without features that are missing, constant, extreme or redundant."""
    return profiles.drop(columns=list(unselected_features(profiles)))


def unselected_features(profiles: pd.DataFrame) -> dict[str, str]:
    """Features of normalised profiles that a selection leaves out: feature → reason.

    pycytominer's operations, one after the other: each works on the result of the one before.
    """
    from pycytominer import feature_select

    left, reasons = profile_features(profiles), {}
    for feature in left:
        # pycytominer raises where no feature at all is left, and that is no fault of the user's
        if not profiles[feature].var(ddof=0) > 1e-6:
            empty = not profiles[feature].notna().any()
            reasons[feature] = "no well has a value" if empty else "the same in all wells"
    for operation, reason in (
        ("drop_na_columns", "more than 5 % of the wells have no value"),
        (
            "drop_outliers",
            "a well is more than 500 MADs (or standard deviations) from the reference",
        ),
        ("correlation_threshold", ""),
    ):
        left = [f for f in left if f not in reasons]
        if not left:
            break
        kept = set(feature_select(profiles[left], features=left, operation=operation))
        dropped = [f for f in left if f not in kept]
        if operation == "correlation_threshold":
            reasons |= _correlated(profiles[left], dropped)
        else:
            reasons |= dict.fromkeys(dropped, reason)
    return reasons


def _correlated(values: pd.DataFrame, dropped: list[str]) -> dict[str, str]:
    """Which of the features that stay each dropped one goes with."""
    if not dropped:
        return {}
    matrix = values.corr().abs()
    stay = [f for f in values if f not in dropped]
    reasons = {}
    for feature in dropped:
        nearest = matrix.loc[feature, stay].idxmax()
        reasons[feature] = (
            f"correlates with {nearest} (|r| {matrix.loc[feature, nearest]:.2f}), which was kept"
        )
    return reasons


def account_of_features(references: pd.DataFrame, normalised: pd.DataFrame) -> pd.DataFrame:
    """Every feature: what it was normalised to, whether it was selected, and why it was not.

    `references` from `feature_references`; `normalised` from `normalise_profiles`.
    """
    unselected = unselected_features(normalised)
    reasons = [
        reason or unselected.get(feature, "")
        for feature, reason in zip(references["feature"], references["reason"], strict=True)
    ]
    selected = ~references["feature"].isin(list(unselected))
    return references.assign(selected=selected, reason=reasons)


def profile_features(profiles: pd.DataFrame) -> list[str]:
    """Every column that is no Metadata_*."""
    return [c for c in profiles if not str(c).startswith("Metadata_")]


def compartment_name(
    column: str, *, whole_cells: bool = False, names: Mapping[str, str] = OUR_NAMES
) -> str:
    """cell_gfp_mean -> Cells_gfp_mean; what bears no compartment was measured in the nucleus, or
    in the whole cell where cells are found without nuclei.

    names : other names of columns of a part, such as `columns.cellprofiler_names`
    """
    part, own = split(column)
    compartment = COMPARTMENTS[part]
    if not part and whole_cells:
        compartment = COMPARTMENTS["cell"]
    return f"{compartment}_{names.get(own, own)}"


def metadata_columns(profiles: pd.DataFrame) -> list[str]:
    """Every Metadata_* column."""
    return [c for c in profiles if str(c).startswith("Metadata_")]
