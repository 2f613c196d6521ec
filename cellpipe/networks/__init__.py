"""Networks, their weights, and the step from a network's maps to labels."""
