"""Corrections of pixels before anything is measured."""
