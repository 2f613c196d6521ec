"""Planes of files, read or refused with a reason."""
