"""Layouts: how a microscope names its files. One module per layout; see CONTRIBUTING.

A layout is a function that lists image planes below a folder:

    list_planes(folder, …) -> DataFrame with the columns
        path      below the folder, with "/" between parts
        well      "B03"
        field     1, 2, … (the file's own number)
        t         0, 1, …          (consecutive, in the order of the file's own numbers)
        channel   the token of the file name ("w1", "2", …)
        z         0, 1, …
        page      plane within the file; ONLY for the plane of a file that must hold one
"""

ONLY = -1
