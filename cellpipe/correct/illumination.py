"""What the camera adds to the light of cells: the background level of a channel.

A ratio of two intensities that both hold a background is drawn towards 1, and with it every
dose response. So intensities are measured above the background.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.image.axes import Image
from cellpipe.image.tiles import Plane, widened

SAMPLE_PX = 1 << 22  # pixels that the levels of an image of several blocks are taken from
MARGIN_PX = 5  # light of cells spreads this far beyond their outlines
MIN_SHARE = 0.01  # of the frame: less empty ground than this is no ground to judge by


def background_levels(pixels: Plane, labels: Plane) -> np.ndarray:
    """Median intensity of each channel outside all objects, float32 (C,).

    In a frame so crowded that nothing is outside, the 1st percentile of all pixels. Of an image of
    several blocks, both are those of an even sample.

    Parameters
    ----------
    pixels : (C, Y, X)
    labels : labels of whole cells, (Y, X)
    """
    image, cells = Image.of(pixels, "cyx"), Image.of(labels, "yx")
    step = 1 if image.one_block else image.sample_step(SAMPLE_PX)
    values, outside = [], []
    for place in image.blocks(step):
        outer, inner = widened(place, MARGIN_PX, cells.shape)
        near = cells[outer] > 0
        if near.any():
            near = ndimage.binary_dilation(near, iterations=MARGIN_PX)
        outside.append(~near[inner][::step, ::step].ravel())
        seen = image[slice(None), *place][:, ::step, ::step]
        values.append(seen.reshape(len(seen), -1))
    free = np.concatenate(outside)
    crowded = free.sum() < MIN_SHARE * free.size
    channels = values[0] if len(values) == 1 else np.concatenate(values, axis=1)
    levels = [np.percentile(c, 1) if crowded else np.median(c[free]) for c in channels]
    return np.array(levels, np.float32)
