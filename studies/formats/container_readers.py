"""Libraries that read .nd2, .czi and .lif, compared with cellpipe's readers on real files.

    python -m venv /tmp/readers && /tmp/readers/bin/pip install nd2==0.12.0 liffile==2026.2.16 \\
        czifile==2019.7.2.3 pylibCZIrw==6.1.0 readlif==0.6.6
    PYTHONPATH=.:/tmp/readers/lib/python3.11/site-packages CELLPIPE_DATA=… \\
        .venv/bin/python studies/formats/container_readers.py

For each file and each library that is installed: planes that are equal to cellpipe's of those that
both have, and CPU milliseconds to open the file and read all planes (the least of three). Libraries
stay outside of .venv, because not every licence among them allows more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cellpipe.readers.containers import containers
from cellpipe.readers.containers.containers import contents_of, plane_place, read_plane

FILES = (
    *("formats-real/nd2/example-multichannel.nd2", "formats-real/nd2/example-pbmc.nd2"),
    *("formats-real/nd2/example-timelapse.nd2", "formats-real/nd2/example-zstack.nd2"),
    *("formats-real/czi/CellDivision_T3_Z5_CH2_X240_Y170.czi", "formats-real/czi/DAPI_GFP.czi"),
    *("formats-real/czi/WellD6_S1.czi", "odd-files/neubias-hostile/xyz__multiple_images.czi"),
    "formats-real/lif/xz-example.lif",
)
Planes = Iterator[tuple[tuple[int, int, int, int], np.ndarray]]  # view, t, z, channel


def by_cellpipe(path: Path) -> Planes:
    containers._contents.cache_clear()  # as the others, it opens the file each time
    contents = contents_of(path)
    for page in range(sum(view.n_planes for view in contents.views)):
        yield plane_place(contents, page, path), read_plane(path, page)


def by_nd2(path: Path) -> Planes:
    import nd2

    with nd2.ND2File(path) as file:
        sizes = file.sizes
        for number, loops in enumerate(file.loop_indices):
            frame = file.read_frame(number).copy().reshape(-1, sizes["Y"], sizes["X"])
            for c, plane in enumerate(frame):
                yield (loops.get("P", 0), loops.get("T", 0), loops.get("Z", 0), c), plane


def by_czifile(path: Path) -> Planes:
    import czifile

    with czifile.CziFile(path) as file:
        whole, axes = file.asarray(), file.axes
    there = dict(zip(axes, whole.shape, strict=True))
    order = [axes.index(axis) for axis in "STZC" if axis in axes]
    rest = [axes.index(axis) for axis in "YX"]
    others = [k for k in range(whole.ndim) if k not in order + rest]
    planes = whole.transpose(order + others + rest)
    shape = [there.get(axis, 1) for axis in "STZC"]
    planes = planes.reshape(*shape, *planes.shape[-2:])
    for s, t, z, c in np.ndindex(*shape):
        yield (s, t, z, c), planes[s, t, z, c]


def by_pylibczirw(path: Path) -> Planes:
    from pylibCZIrw import czi

    with czi.open_czi(str(path)) as file:
        box = file.total_bounding_box
        scenes = file.scenes_bounding_rectangle or {None: None}
        for s, (scene, place) in enumerate(scenes.items()):
            for t, z, c in np.ndindex(*(box.get(axis, (0, 1))[1] for axis in "TZC")):
                own = {} if scene is None else {"scene": scene, "roi": tuple(place)}
                yield (s, t, z, c), file.read(plane={"T": t, "Z": z, "C": c}, **own)[..., 0]


def by_liffile(path: Path) -> Planes:
    import liffile

    with liffile.LifFile(path) as file:
        for s, image in enumerate(file.images):
            planes = image.asarray()
            sizes = [image.sizes.get(axis, 1) for axis in ("T", "Y", "C")]
            if "Z" not in image.dims[-2:]:
                sizes = [image.sizes.get(axis, 1) for axis in "TZC"]
            planes = planes.reshape(*sizes, *planes.shape[-2:])
            for t, z, c in np.ndindex(*sizes):
                yield (s, t, z, c), planes[t, z, c]


def by_readlif(path: Path) -> Planes:
    from readlif.reader import LifFile

    for s, image in enumerate(LifFile(str(path)).get_iter_image()):
        for t, z, c in np.ndindex(image.dims.t, image.dims.z, image.channels):
            yield (s, t, z, c), np.array(image.get_frame(z=z, t=t, c=c))


READERS: dict[str, dict[str, Callable[[Path], Planes]]] = {
    ".nd2": {"nd2": by_nd2},
    ".czi": {"czifile": by_czifile, "pylibCZIrw": by_pylibczirw},
    ".lif": {"liffile": by_liffile, "readlif": by_readlif},
}


def compared(path: Path, read: Callable[[Path], Planes]) -> str:
    """Equal planes of those that both have, and those that only one has."""
    try:
        theirs = dict(read(path))
    except ImportError:
        return "not installed"
    except Exception as fault:  # a reader that fails is a result
        return f"fails: {type(fault).__name__}: {str(fault)[:60]}"
    ours = dict(by_cellpipe(path))
    both = ours.keys() & theirs.keys()
    equal = sum(np.array_equal(ours[place], theirs[place]) for place in both)
    return f"{equal} of {len(ours)} equal, {len(theirs)} given"


def milliseconds(path: Path, read: Callable[[Path], Planes]) -> float:
    """CPU time to read all planes, the least of three."""
    least = np.inf
    for _ in range(3):
        start = time.process_time()
        for _, plane in read(path):
            plane.sum()
        least = min(least, time.process_time() - start)
    return 1000 * float(least)


def main() -> None:
    folder = Path(os.environ["CELLPIPE_DATA"])
    print("| file | reader | planes | CPU ms |\n|---|---|---|---|")
    for name in FILES:
        path = folder / name
        own = milliseconds(path, by_cellpipe)
        print(f"| {path.name} | cellpipe | {len(dict(by_cellpipe(path)))} | {own:.1f} |")
        for reader, read in READERS[path.suffix].items():
            result = compared(path, read)
            spent = f"{milliseconds(path, read):.1f}" if "given" in result else ""
            print(f"| | {reader} | {result} | {spent} |")


if __name__ == "__main__":
    main()
