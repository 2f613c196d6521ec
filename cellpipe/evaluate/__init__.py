"""Results beside a truth: what is compared, and where a truth is read from."""
