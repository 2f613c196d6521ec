"""Where the planes of a folder are: one module per layout, and what they share."""
