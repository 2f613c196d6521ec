"""The computation of each stage on a whole plate."""
