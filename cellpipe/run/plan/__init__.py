"""What a run will cost, from a short probe of each plate: see `command`."""
