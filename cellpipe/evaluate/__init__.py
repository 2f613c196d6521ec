"""Results compared with a ground truth: what is compared, and where the truth is read from."""
