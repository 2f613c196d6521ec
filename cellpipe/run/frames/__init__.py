"""The computation of each stage on one frame, with the options of the config: a module per stage.

Scripts stream frames through these functions, and the benchmark times them on arrays in memory:
both run the same code, so the difference between the two is what moving data costs.
"""
