"""Objects of fields that overlap, each counted once.

Objects of two fields whose centres in the well are nearer than the radius of the larger are the
same: centres of different objects are further apart. The part of an object that a field's border
leaves can have its centre further out, at the end of the whole: where one of the two is cut, they
are the same within half the longer axis. An object that one field alone shows stays.

Points (spots) are too many and too alike to be paired: each part of the well belongs to one field.
"""

from __future__ import annotations

import numpy as np


def counted_once(
    field: np.ndarray,
    at_px: np.ndarray,
    radius_px: np.ndarray,
    middles_px: np.ndarray,
    in_doubt: np.ndarray | None = None,
    *,
    cut: np.ndarray | None = None,
    longest_px: np.ndarray | None = None,
) -> np.ndarray:
    """Whether each object counts: of the same object in several fields, one does.

    It is that of the field whose centre is nearest, where the object is cut least.

    Parameters
    ----------
    field : (M,) int, number of the field in which each object was found
    at_px : (M, 2) float, its centre (y, x) in the well
    radius_px : (M,) float, of a disc of its area
    middles_px : (N, 2) float, centres of the fields in the well
    in_doubt : (N,) bool, fields that do not count in wells: what another one shows counts there
    cut : (M,) bool, objects that touch the border of their field; none by default
    longest_px : (M,) float, longer axis of the ellipse of each, needed with `cut`

    Returns
    -------
    (M,) bool
    """
    from scipy.spatial import cKDTree

    counts = np.ones(len(field), bool)
    if len(np.unique(field)) < 2:
        return counts
    reach_px = radius_px
    if cut is not None and longest_px is not None:
        reach_px = np.fmax(radius_px, longest_px / 2)
    pairs = cKDTree(at_px).query_pairs(float(np.max(reach_px)), output_type="ndarray")
    one, other = pairs[field[pairs[:, 0]] != field[pairs[:, 1]]].T
    apart = np.hypot(*(at_px[one] - at_px[other]).T)
    within = np.maximum(radius_px[one], radius_px[other])
    if cut is not None:
        of_part = np.maximum(reach_px[one], reach_px[other])
        within = np.where(cut[one] | cut[other], of_part, within)
    same = apart < within
    one, other, apart = one[same], other[same], apart[same]
    group = {int(n): {int(n)} for n in np.concatenate([one, other])}
    for k in np.lexsort((other, one, apart)):  # the nearest first
        a, b = group[int(one[k])], group[int(other[k])]
        if a is not b and {int(field[n]) for n in a}.isdisjoint(int(field[n]) for n in b):
            a |= b  # a field shows an object once
            group.update(dict.fromkeys(b, a))
    away = np.hypot(*(at_px - middles_px[field]).T)
    last = np.zeros(len(field), bool) if in_doubt is None else in_doubt[field]
    for members in group.values():
        counts[list(members)] = False
        counts[min(members, key=lambda n: (last[n], away[n], n))] = True
    return counts


def points_counted_once(
    field: np.ndarray, at_px: np.ndarray, boxes_px: np.ndarray, in_doubt: np.ndarray
) -> np.ndarray:
    """Whether each point counts: in the field that its place belongs to.

    That is, of the fields that show the place, the one whose centre is nearest.

    Parameters
    ----------
    field : (M,) int, number of the field in which each point was found
    at_px : (M, 2) float, y and x in the well
    boxes_px : (N, 4) float, low y, low x, high y, high x of each field in the well
    in_doubt : (N,) bool, fields that do not count in wells: others come first

    Returns
    -------
    (M,) bool
    """
    nearest = np.full(len(field), np.inf)
    owner = np.full(len(field), -1)
    far = float(np.ptp(boxes_px, axis=0).sum() + np.abs(boxes_px[0]).sum()) if len(boxes_px) else 0
    for number, (low_y, low_x, high_y, high_x) in enumerate(boxes_px):
        y, x = at_px[:, 0], at_px[:, 1]
        shown = (y >= low_y) & (y < high_y) & (x >= low_x) & (x < high_x)
        away = np.hypot(y - (low_y + high_y) / 2, x - (low_x + high_x) / 2)
        away = away + (far if in_doubt[number] else 0.0)
        nearer = (shown | (field == number)) & (away < nearest)
        nearest[nearer], owner[nearer] = away[nearer], number
    return owner == field
