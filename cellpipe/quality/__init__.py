"""What a person should know of a plate before reading its numbers: `warnings.plate_warnings`."""
