"""How tracked objects move, whatever they are and however they were linked.

paths       when seen, how far, how fast, how straight         one row per track
diffusion   D, error of position, exponent, confinement        one row per track
msd         mean squared displacement                          one row per track (or well) and lag
msd_fits    D and exponent of many tracks together

Positions in µm, times in s; tracks are rows of points with t and track_id.
"""
