"""Spots smaller than cells: where they are, how bright, and which cell holds them.

`spots.detect_spots` makes the same table with any of three engines: ``log`` (`blobs`), ``trackpy``
(`centroids`) and ``learned`` (`learned`, a network that the project trains). `holders` assigns each
to a cell. Nothing is imported here: the limits of engines are checked before any job, by code that
must not depend on the detectors themselves.
"""
