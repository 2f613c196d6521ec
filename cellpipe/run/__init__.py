"""How stages are run: what a block does with a frame, and by which code."""
