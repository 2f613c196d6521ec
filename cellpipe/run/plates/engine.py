"""The engine of a plate, where the config leaves it to be chosen: by a sample of its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from cellpipe.config.candidates import candidates, name_of, with_engine
from cellpipe.correct.sample import Frame, sampled
from cellpipe.errors import BadImage
from cellpipe.image import square
from cellpipe.image.axes import Image
from cellpipe.image.units import PixelSize
from cellpipe.run.frames import segment as of_frame
from cellpipe.run.frames.choice import Choice
from cellpipe.segment.comparison import MARGIN, Candidate, OfImage, Weighed, seen_by_all, weighed
from cellpipe.segment.nuclei import Segmentation, segment_nuclei

Options = Mapping[str, Any]
EDGE_PX = 1024  # of the middle of a frame that engines are compared on
SHOWN_PX = 320  # edge of the part of a frame that the report shows

# frame (well, field, t) → the middle of its pixels of `segment.seen_by(…, "nuclei")`, (C, Y, X)
Read = Callable[[Frame], Image]


def choose(
    options: Options,
    frames: Iterable[Frame],
    read: Read,
    pixel_size_um: PixelSize,
    *,
    length_known: bool,
    device: str,
    threads: int,
    seed: int,
) -> tuple[Choice, np.ndarray]:
    """The best of the candidates of the section `segment` for a plate.

    Parameters
    ----------
    frames : that can be used, of the whole plate
    read : of a frame; one that raises BadImage, or makes an engine raise it, is left out
    pixel_size_um : edge of a pixel, or (y, x); length_known : whether that is in µm

    Returns
    -------
    choice : the engine, and the figures of all
    shown : uint16 (1 + candidates, Y, X), a part of one frame in grey values 0 to 65535, and the
        labels of each candidate there; (0, 0, 0) where no frame could be read

    Raises
    ------
    BadConfig : a candidate for pixels of a size in µm, where that of the plate is unknown
    """
    several = [with_engine(options, each) for each in candidates(options)]
    names = [name_of(segment["nuclei"]) for segment in several]
    finders = [
        Candidate(name, _finder(segment, pixel_size_um, length_known, device, threads))
        for name, segment in zip(names, several, strict=True)
    ]
    used, seen, shown = [], [], np.zeros((0, 0, 0), np.uint16)
    spread, n_bad = -1.0, 0
    at: Frame | tuple[()] = ()
    for frame in sampled(list(frames), options["nuclei"]["auto"]["images"], seed):
        try:
            pixels = _squares(read(frame).whole(), pixel_size_um)
            one = seen_by_all(finders, pixels if len(pixels) > 1 else pixels[0])
        except BadImage:
            n_bad += 1  # it will be named when its turn comes
            continue
        used.append(frame)
        seen.append(one)
        if (differ := float(np.ptp(one.n_objects))) > spread:
            spread, at, shown = differ, frame, _shown(pixels[0], one)
    compared = weighed(names, seen)
    choice = Choice(
        name=names[compared.best],
        why=reason(compared) + bad_words(n_bad, len(used)),
        judged=[each.as_dict() for each in compared.judged],
        frames=[list(frame) for frame in used],
        n_images=compared.n_images,
        shown=list(at),
    )
    return choice, shown


def reason(compared: Weighed) -> str:
    """Why the best engine is the best, for a person."""
    if not compared.n_images:
        return "no engine found an object in the sample, so the first is used"
    first, best = compared.judged[0], compared.judged[compared.best]
    if compared.best:
        return f"its score is {best.score:.2f}, that of {first.name} {first.score:.2f}"
    near = max(compared.judged[1:], key=lambda each: each.score)
    if near.score > first.score:
        return (
            f"its score is {first.score:.2f}; {near.name} has {near.score:.2f}, which is not "
            f"better by more than {MARGIN:g}"
        )
    return f"its score is {first.score:.2f}, that of the next, {near.name}, {near.score:.2f}"


def bad_words(n_bad: int, n_used: int) -> str:
    """What became of images of the sample that could not be used; "" where all could."""
    if not n_bad:
        return ""
    return f"; {n_bad} of {n_bad + n_used} images of the sample could not be used"


def sentences(choice: Choice) -> list[str]:
    """What was chosen and why, and the figures of each engine."""
    lines = [f"engine {choice.name}: {choice.why}"]
    names = {"score": "score", "expected_f1": "expected F1", "stability": "stability"}
    for each in choice.judged:
        known = [
            f"{words} {each[key]:.2f}" for key, words in names.items() if each[key] is not None
        ]
        figures = "; ".join([f"{each['n_objects']} objects", *known])
        lines.append(f"engine {each['name']}: {figures}")
    return lines


def middle(image: Image | np.ndarray, edge_px: int) -> np.ndarray:
    """The middle of an image (C, Y, X), at most a square of that edge; no more of it is read."""
    y, x = (max(0, (n - edge_px) // 2) for n in image.shape[-2:])
    return np.asarray(image[:, y : y + edge_px, x : x + edge_px])


def _squares(pixels: np.ndarray, size_um: PixelSize) -> np.ndarray:
    return square.to_square(pixels, size_um) if isinstance(size_um, tuple) else pixels


def _finder(
    segment: Options, pixel_size_um: PixelSize, length_known: bool, device: str, threads: int
) -> Callable[[np.ndarray, float], Segmentation]:
    engine = of_frame.load_engine_of(segment, device, threads)
    of_frame.refuse_unknown_scale({"nuclei": engine}, length_known)
    options = of_frame.nuclei_options(segment)
    edge_um = min(pixel_size_um) if isinstance(pixel_size_um, tuple) else pixel_size_um

    def find(pixels: np.ndarray, zoom: float) -> Segmentation:
        return segment_nuclei(pixels, edge_um / zoom, **options, engine=engine)

    return find


def _shown(plane: np.ndarray, seen: OfImage) -> np.ndarray:
    low, high = np.percentile(plane, (1, 99.8))
    grey = np.clip((plane - low) / max(float(high - low), 1e-12), 0, 1) * 65535
    parts = [middle(layer[None], SHOWN_PX)[0] for layer in (grey, *seen.labels)]
    return np.stack([part.astype(np.uint16) for part in parts])
