"""Segmentation: nuclei, the cells around them, and whether an image is fit for it."""
