"""What a user hands in: config, sheets, plate maps, and what a plate holds."""
