"""The computation of a stage on a whole plate, with the options of the config: a module per stage.

Scripts read tables, pass them through these functions and write what comes back, and the benchmark
times them on tables in memory; stages that go frame by frame are in `run.frames`.
"""
