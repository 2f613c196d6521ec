"""Plates of one screen together: treatments over their replicates, plates beside each other."""
