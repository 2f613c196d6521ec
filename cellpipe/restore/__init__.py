"""Restoration of pixels: denoising."""
