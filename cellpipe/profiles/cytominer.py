"""Well profiles in the names and with the methods that the field's other tools share.

Columns are Metadata_Plate, Metadata_Well, Metadata_<column of the plate map> …, then features by
compartment (Nuclei_, Cells_, Cytoplasm_). pycytominer does the sums: Serrano et al., Nat.
Methods 22, 677 (2025).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.classify.classifier import feature_columns

if TYPE_CHECKING:
    import pandas as pd


def well_profiles(cells: pd.DataFrame, plate_map: pd.DataFrame) -> pd.DataFrame:
    """Augmented well profiles: Metadata_* columns, then the median of every measured feature.

    Features bear the compartment first, as the field's tools expect: Nuclei_dna_mean,
    Cells_actin_mean, Cytoplasm_actin_mean. Only wells that hold cells have a profile.
    """
    from pycytominer import aggregate, annotate

    features = feature_columns(cells)
    whole = "object" in cells and cells["object"].eq("cells").any()
    named = {column: compartment_name(column, whole_cells=whole) for column in features}
    table = cells[["plate", "well", *features]].rename(columns=named)
    table = table.astype(dict.fromkeys(named.values(), "float64"))
    table = table.rename(columns={"plate": "Metadata_Plate", "well": "Metadata_Well"})
    keys = ["Metadata_Plate", "Metadata_Well"]
    table[keys] = table[keys].astype(str)
    table["Metadata_ObjectNumber"] = np.arange(len(table))  # what pycytominer counts
    profiles = aggregate(
        table, strata=keys, features=list(named.values()), operation="median",
        compute_object_count=True,
    )  # fmt: skip
    metadata = plate_map.astype({"well": str}).rename(columns={"well": "Metadata_Well"})
    return annotate(
        profiles, platemap=metadata, join_on=["Metadata_Well", "Metadata_Well"],
        add_metadata_id_to_platemap=True,
    )  # fmt: skip


def normalise_profiles(profiles: pd.DataFrame) -> pd.DataFrame:
    """Profiles in robust standard deviations of the negative controls (of all wells without).

    Features that no well has stay NaN; so does everything on a plate of a single well.
    """
    from pycytominer import normalize

    features, metadata = profile_features(profiles), metadata_columns(profiles)
    known = [f for f in features if profiles[f].notna().sum() > 1]
    if not known:
        return profiles.assign(**dict.fromkeys(features, np.nan))
    kinds = profiles.get("Metadata_control", profiles["Metadata_Well"])
    enough = profiles.loc[kinds == "negative", known].notna().sum().min() >= 3
    normalised = normalize(
        profiles[metadata + known],
        features=known,
        meta_features=metadata,
        method="mad_robustize",
        samples="Metadata_control == 'negative'" if enough else "all",
    )
    return normalised.reindex(columns=metadata + features)


def select_profile_features(profiles: pd.DataFrame) -> pd.DataFrame:
    """Profiles without features that are missing, constant, extreme or tell the same as another."""
    from pycytominer import feature_select

    # pycytominer raises where no feature at all is left, and that is no fault of the user's
    varied = [f for f in profile_features(profiles) if profiles[f].var(ddof=0) > 1e-6]
    kept = profiles[metadata_columns(profiles) + varied]
    operations = ["drop_na_columns", "drop_outliers", "correlation_threshold"]
    return feature_select(kept, features=varied, operation=operations) if varied else kept


def profile_features(profiles: pd.DataFrame) -> list[str]:
    """Every column that is no Metadata_*."""
    return [c for c in profiles if not str(c).startswith("Metadata_")]


def compartment_name(column: str, *, whole_cells: bool = False) -> str:
    """cell_gfp_mean -> Cells_gfp_mean; what bears no compartment was measured in the nucleus, or
    in the whole cell where cells are found without nuclei."""
    for prefix, compartment in (("cell_", "Cells_"), ("cytoplasm_", "Cytoplasm_")):
        if column.startswith(prefix):
            return compartment + column.removeprefix(prefix)
    return f"Cells_{column}" if whole_cells else f"Nuclei_{column}"


def metadata_columns(profiles: pd.DataFrame) -> list[str]:
    """Every Metadata_* column."""
    return [c for c in profiles if str(c).startswith("Metadata_")]
