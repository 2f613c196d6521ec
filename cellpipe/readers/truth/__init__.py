"""Labels and tracks that others have made, read."""
