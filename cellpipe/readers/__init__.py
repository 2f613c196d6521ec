"""Layouts: how a microscope names its files. One module per layout; see docs/developing/formats.md.

A layout is a function that lists image planes below a folder:

    list_planes(folder, …, files) -> DataFrame with the columns
        path      below the folder, with "/" between parts
        well      "B03"
        field     1, 2, … (the file's own number)
        t         0, 1, …          (from the first of the plate; frames that are lost leave gaps)
        channel   the token of the file name ("w1", "2", …)
        z         0, 1, …          (in the stack of its channel)
        page      plane within the file; ONLY for the plane of a file that must hold one
"""

ONLY = -1
