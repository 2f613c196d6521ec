"""What a person should know of a plate before reading its numbers."""

from cellpipe.quality.warnings import COLUMNS, plate_warnings

__all__ = ["COLUMNS", "plate_warnings"]
