"""Wells: what their cells add up to, and their profiles."""
