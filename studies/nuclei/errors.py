"""What is wrong with what the shipped network finds: errors by kind, and what each costs.

CELLPIPE_DATA=path/to/data python studies/nuclei/errors.py [--side test]

A true nucleus without a partner at IoU 0.5 is a "speck" (below 25 pixels), "unseen" (less than a
third of it is found), "merged" (what covers it holds most of another one too), "split" (two pieces
lie inside it), or has another "outline". A false object is "alone" (less than a third of it is
true), a "false speck", or goes with one of the errors above. Second table: mean AP@0.5 over images
if one kind had not happened. Then what labelled specks are: how many have the same mask, and how
many are no brighter than the ring around them. Last, the images that cost most.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from segmentation import FOLDERS

from cellpipe.image.tiles import widened
from cellpipe.metrics.overlap import Overlap, overlap
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.pairs import read_pair

SPECK_PX = 25
RING_PX = 3
SEEN = 1 / 3
MISSED = ("speck", "unseen", "merged", "split", "outline")
FALSE = ("alone", "false speck")
WORST = 12


def errors(pairs: Overlap) -> Counter[str]:
    """Objects of each kind of an image, the found ones among them."""
    shared, iou = pairs.shared.toarray(), pairs.iou.toarray()
    good = iou >= 0.5
    of_truth = shared / pairs.truth_px[:, None]
    of_found = shared / pairs.predicted_px[None]
    kinds: Counter[str] = Counter(true=pairs.n_truth, found=int(good.any(1).sum()))
    for i in np.flatnonzero(~good.any(axis=1)):
        if pairs.truth_px[i] < SPECK_PX:
            kinds["speck"] += 1
        elif of_truth[i].sum() < SEEN:
            kinds["unseen"] += 1
        elif (of_truth[:, shared[i].argmax()] > 0.5).sum() > 1:
            kinds["merged"] += 1
        elif (of_found[i] > 0.5).sum() > 1:
            kinds["split"] += 1
        else:
            kinds["outline"] += 1
    for j in np.flatnonzero(~good.any(axis=0)):
        kinds["false"] += 1
        if of_found[:, j].sum() < SEEN:
            kinds["alone"] += 1
        elif pairs.predicted_px[j] < SPECK_PX:
            kinds["false speck"] += 1
        elif (of_truth[:, j] > 0.5).sum() > 1:
            kinds["merging"] += 1
    return kinds


def specks(pixels: np.ndarray, truth: np.ndarray) -> list[tuple[bytes, bool]]:
    """Mask of each labelled speck, and whether it is brighter than the ring around it.

    Brighter: the mean lies above that of the ring by two standard errors.
    """
    found = []
    for i, box in enumerate(ndimage.find_objects(truth.astype(np.int32)), start=1):
        mask = truth[box] == i
        if mask.sum() < SPECK_PX:
            wide, _ = widened(box, RING_PX, truth.shape)
            near = truth[wide] == i
            ring = ndimage.binary_dilation(near, iterations=RING_PX) & (truth[wide] == 0)
            light, ground = pixels[wide][near].astype(float), pixels[wide][ring].astype(float)
            error = np.hypot(light.std() / len(light) ** 0.5, ground.std() / len(ground) ** 0.5)
            form = np.array(mask.shape).tobytes() + mask.tobytes()
            found.append((form, bool(light.mean() > ground.mean() + 2 * error)))
    return found


def ap_without(kinds: Counter[str], kind: str) -> float:
    """AP of an image if errors of a kind had not happened."""
    true, found, false = kinds["true"], kinds["found"], kinds["false"]
    if kind == "merged":  # all of the objects told apart
        found, false = found + kinds["merged"], false - kinds["merging"]
    elif kind == "speck":  # not labelled, and not found
        true, false = true - kinds["speck"], false - kinds["false speck"]
    elif kind in FALSE:
        false -= kinds[kind]
    elif kind:
        found += kinds[kind]
    return found / max(true + false, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", default="test", choices=("train", "validation", "test"))
    side = parser.parse_args().side
    data, split = Path(os.environ["CELLPIPE_DATA"]), load_card("nuclei").extra["split"]
    engine = load_engine("cellpipe", threads=1)
    rows, small = [], defaultdict(list)
    for of_set, folder in FOLDERS.items():
        for file in split[f"{of_set}/{side}"]:
            label = data / folder / "labels" / f"{Path(file).stem}.png"
            pixels, truth = read_pair(data / folder / "images" / file, label)
            small[of_set] += specks(pixels, truth)
            kinds = errors(overlap(truth, segment_nuclei(pixels, 1.0, engine=engine).labels))
            costs = {f"no {kind}": ap_without(kinds, kind) for kind in (*MISSED, *FALSE)}
            rows.append(
                {"set": of_set, "file": file[:10], **kinds, "AP": ap_without(kinds, ""), **costs}
            )
    table = pd.DataFrame(rows).fillna(0)
    costs = ["AP", *(f"no {kind}" for kind in (*MISSED, *FALSE))]
    kinds = [c for c in table.columns if c not in ("set", "file", *costs)]
    print(table.groupby("set")[kinds].sum().astype(int).T.to_string())
    print(table.groupby("set")[costs].mean().round(3).T.to_string())
    for of_set, forms in small.items():
        shape, n = Counter(form for form, _ in forms).most_common(1)[0]
        dark = sum(not bright for form, bright in forms if form == shape)
        others = sum(not bright for form, bright in forms if form != shape)
        print(f"{of_set}: {len(forms)} specks, {n} of one shape, {dark} of these and {others}")
        print("of the others no brighter than the ring around them")
    worst = table.sort_values("AP").groupby("set").head(WORST)
    print(worst[["set", "file", *kinds, "AP"]].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
