"""Fingerprints of results.

A fingerprint is the sha256 of everything that decides a result: the stage, the digest of the
code that made it, the parameters, the sha256 of the weights, and the fingerprints of the inputs.
Two results with one fingerprint are the same result; the chain of fingerprints replaces guesses
from time stamps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def fingerprint(
    stage: str,
    *,
    code: str,
    params: Mapping[str, Any],
    inputs: Iterable[str] = (),
    weights: str = "",
) -> str:
    """Return the fingerprint (32 hexadecimal digits) of a result.

    `params` may hold anything JSON can; the order of its keys does not matter, the order of
    `inputs` does.
    """
    recipe = {
        "stage": stage,
        "code": code,
        "params": params,
        "inputs": list(inputs),
        "weights": weights,
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]
