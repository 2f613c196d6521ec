"""Segmentation: nuclei, the cells around them, and whether an image is fit for it."""

UNSEEN_CELLS = ("off", "ring")  # methods of `segment.cells` that take no channel
