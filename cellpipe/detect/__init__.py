"""Spots smaller than cells: where they are, how bright, and which cell holds them.

`spots.detect_spots` makes the same table with any of three engines: ``log`` (`blobs`), ``trackpy``
(`centroids`) and ``learned`` (`learned`, a network that the project trains). `holders` says which
cell holds each. Nothing is imported here: the limits of engines are asked before any job, by what
must not depend on the detectors themselves.
"""
