"""Labels of other programs: whole numbers in any type, and nothing else."""

from __future__ import annotations

import numpy as np

from cellpipe.errors import BadImage

LARGEST = 2**32 - 1  # of our own labels
EXACT = {2: 2**11, 4: 2**24, 8: 2**53}  # from here on, floats of so many bytes skip whole numbers


def as_labels(values: np.ndarray, what: str) -> np.ndarray:
    """Labels as uint32, whatever type holds them; `what` names them in messages.

    Many programs write labels as float32. They are taken if every value is a whole number, of 0
    or more, that the type can distinguish from its neighbours.

    Raises
    ------
    BadImage
    """
    kind = values.dtype.kind
    if kind not in "buif":
        raise _refused(f"{what} of type {values.dtype}", "whole numbers")
    if not values.size or kind == "b":
        return values.astype(np.uint32)
    low, high = values.min(), values.max()
    if kind == "f":
        if not np.isfinite(values).all():
            raise _refused(f"NaN or infinite values in {what}", "whole numbers")
        broken = values != np.rint(values)
        if broken.any():
            raise _refused(
                f"{int(broken.sum()):,} values in {what} that are not whole, such as "
                f"{float(values[broken].flat[0]):g}",
                "labels: one whole number for each object, 0 outside",
            )
        exact = EXACT.get(values.dtype.itemsize, 2**53)
        if high >= exact:
            raise _refused(
                f"labels up to {high:.0f} in {what}, {values.dtype}, which distinguishes whole "
                f"numbers below {exact:,} only",
                "labels of a whole-number type",
            )
    if low < 0 or high > LARGEST:
        raise _refused(f"values from {low:.0f} to {high:.0f} in {what}", f"labels 0 to {LARGEST}")
    return values.astype(np.uint32, copy=False)


def _refused(seen: str, wanted: str) -> BadImage:
    return BadImage(seen=seen, wanted=wanted, do="export labels (whole numbers), not intensities")
