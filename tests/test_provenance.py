"""Fingerprints follow what decides a result, and nothing else."""

from __future__ import annotations

import pytest

from cellpipe.run.provenance import fingerprint

BASE = {"code": "c", "params": {"a": 1, "b": [2, 3]}, "inputs": ["x", "y"], "weights": "w"}


def test_equal_recipes_have_equal_fingerprints():
    swapped = {**BASE, "params": {"b": [2, 3], "a": 1}}
    assert fingerprint("segment", **BASE) == fingerprint("segment", **swapped)
    assert len(fingerprint("segment", **BASE)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"code": "d"},
        {"params": {"a": 2, "b": [2, 3]}},
        {"params": {"a": 1, "b": [3, 2]}},
        {"params": {"a": "1", "b": [2, 3]}},
        {"inputs": ["y", "x"]},
        {"inputs": ["x"]},
        {"weights": ""},
    ],
)
def test_whatever_decides_a_result_changes_its_fingerprint(change):
    assert fingerprint("segment", **{**BASE, **change}) != fingerprint("segment", **BASE)
    assert fingerprint("measure", **BASE) != fingerprint("segment", **BASE)
