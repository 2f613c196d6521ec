"""Statistics of a plate: controls, dose responses, effects of position."""
