"""Sizes of pixels and steps in z and time, each with its source."""
