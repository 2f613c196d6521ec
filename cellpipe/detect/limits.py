"""Diameters of spots that an engine cannot detect are refused, also before the first job."""

from __future__ import annotations

from collections.abc import Sequence

from cellpipe.errors import BadConfig

# Below, in pixels, an engine misses spots or invents them (studies/spots). `learned` brings
# images to the diameters of its card, 2.3 to 7 px, so it has the limit of the pixels alone.
LEAST_DIAMETER_PX = {"learned": 1.4, "log": 1.4, "trackpy": 2.1}
LARGEST_SHARE = 0.5  # of the shorter side of an image


def refuse_diameter(engine: str, diameter_um: float, pixel_size_um: float) -> None:
    """Refuse a diameter that the engine cannot do at this size of pixels.

    Raises BadConfig.
    """
    least_px = LEAST_DIAMETER_PX[engine]
    diameter_px = diameter_um / pixel_size_um
    if diameter_px >= least_px:
        return
    seen = (
        f"detect.diameter_um = {diameter_um:g} with pixels of {pixel_size_um:g} µm: "
        f"{diameter_px:.2g} pixels, for detect.engine = {engine}"
    )
    wanted = f"at least {least_px * pixel_size_um:.3g} µm, {least_px} pixels"
    do = "give the diameter that spots have in the image, blur included"
    others = [name for name, px in LEAST_DIAMETER_PX.items() if diameter_px >= px]
    if others:
        do = f"set detect.engine to {' or '.join(others)}, which find spots as small as these"
    raise BadConfig(seen=seen, wanted=wanted, do=do)


def refuse_wide(diameter_um: float, pixel_size_um: float, shape: Sequence[int]) -> None:
    """Refuse spots that are wider than half of the image: there is no background to compare with.

    Raises BadConfig.
    """
    largest_um = LARGEST_SHARE * min(shape) * pixel_size_um
    if diameter_um > largest_um:
        raise BadConfig(
            seen=f"detect.diameter_um = {diameter_um:g} in an image of {shape[0]} × {shape[1]} "
            f"pixels of {pixel_size_um:g} µm",
            wanted=f"at most {largest_um:.3g} µm, half of the image",
            do="give the diameter of a spot in µm, and check the size of the pixels",
        )
