"""Engines compared without truth: which is used, and on what grounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from skimage.draw import disk

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.axes import Image
from cellpipe.networks.scale_search import agreement
from cellpipe.run.plates import engine as of_plates
from cellpipe.segment.comparison import (
    MARGIN,
    SCALES,
    Candidate,
    OfImage,
    seen_by_all,
    stability,
    views,
    weighed,
)
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import Segmentation, segment_nuclei


def discs(*centres: tuple[int, int], radius: float = 8, shape: int = 96) -> np.ndarray:
    labels = np.zeros((shape, shape), np.uint32)
    for value, centre in enumerate(centres, 1):
        labels[disk(centre, radius, shape=labels.shape)] = value
    return labels


THREE = discs((20, 20), (20, 70), (70, 40))
TWO = discs((20, 20), (20, 70))
NONE = np.zeros((96, 96), np.uint32)


def image(
    labels: Sequence[np.ndarray], predicted: Sequence[float], stable: Sequence[float]
) -> OfImage:
    alike = np.array([[agreement(one, other) for other in labels] for one in labels])
    return OfImage(list(labels), np.array(predicted), np.array(stable), alike)


NAN = float("nan")


def test_the_first_is_used_unless_another_is_clearly_better() -> None:
    near = weighed(("a", "b"), [image((THREE, TWO), (0.8, 0.8 + 0.9 * MARGIN), (1, 1))])
    far = weighed(("a", "b"), [image((THREE, TWO), (0.8, 0.8 + 1.1 * MARGIN), (1, 1))])
    assert (near.best, far.best) == (0, 1)
    assert far.judged[1].score == pytest.approx(0.8 + 1.1 * MARGIN)


def test_an_engine_without_prediction_is_as_good_as_what_it_agrees_with() -> None:
    own = image((THREE, THREE, TWO, NONE), (0.9, 0.4, NAN, NAN), (1, 1, 1, NAN))
    assert own.expected_f1 == pytest.approx([0.9, 0.4, 0.9 * 0.8, 0])
    judged = weighed(("a", "b", "c", "d"), [own]).judged
    assert [each.predicted for each in judged] == [True, True, False, False]
    assert [each.n_objects for each in judged] == [3, 3, 2, 0]


def test_what_falls_to_pieces_at_another_scale_counts_less() -> None:
    compared = weighed(("a", "b"), [image((THREE, TWO), (0.9, NAN), (0.6, 1.0))])
    assert compared.judged[0].score == pytest.approx(0.54)
    assert compared.judged[1].score == pytest.approx(0.72)
    assert compared.best == 1


def test_an_engine_that_finds_nothing_where_others_do_is_not_used() -> None:
    compared = weighed(("a", "b"), [image((NONE, THREE), (NAN, 0.5), (NAN, 1))])
    assert compared.best == 1
    assert compared.judged[0].score == 0
    assert np.isnan(compared.judged[0].stability)


def test_empty_images_decide_nothing() -> None:
    good = image((THREE, TWO), (0.8, 0.4), (1, 1))
    empty = image((NONE, NONE), (NAN, NAN), (NAN, NAN))
    # noise that one engine takes for objects
    noise = image((NONE, THREE), (NAN, 0.1), (NAN, 1))
    alone, among = weighed(("a", "b"), [good]), weighed(("a", "b"), [good, empty, empty])
    assert among.judged == alone.judged
    assert among.n_images == 1
    assert weighed(("a", "b"), [good, noise, noise, noise]).best == 0
    nothing = weighed(("a", "b"), [empty])
    assert (nothing.best, nothing.n_images) == (0, 0)
    assert nothing.judged[0].as_dict()["score"] is None


def test_without_any_prediction_stability_decides() -> None:
    compared = weighed(("a", "b"), [image((THREE, TWO), (NAN, NAN), (0.5, 0.9))])
    assert compared.best == 1
    assert np.isnan(compared.judged[0].expected_f1)
    # but not in an image that no card knows, where others are known
    known = image((THREE, TWO), (0.9, NAN), (1, 1))
    unknown = image((NONE, TWO), (NAN, NAN), (NAN, 1))
    assert weighed(("a", "b"), [known, unknown, unknown]).best == 0


@pytest.mark.parametrize("channels", [(), (2,)])
def test_views_are_the_image_at_other_scales(channels: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 999, (*channels, 96, 80)).astype(np.uint16)
    seen = list(views(pixels))
    assert [zoom for _, zoom in seen] == list(SCALES)
    for view, zoom in seen:
        assert view.shape == (*channels, round(96 * zoom), round(80 * zoom))
        assert view.mean() == pytest.approx(pixels.mean(), rel=0.02)


def test_stability_is_agreement_over_scales() -> None:
    def whole(pixels: np.ndarray, zoom: float) -> Segmentation:
        return segment_nuclei(pixels, 1 / zoom, engine="classical")

    def by_scale(pixels: np.ndarray, zoom: float) -> Segmentation:
        none = np.zeros(0, np.float32)
        return whole(pixels, zoom) if zoom == 1 else Segmentation(NONE[:4, :4], none, none)

    pixels = np.where(THREE > 0, 900, 100).astype(np.uint16)
    labels = np.asarray(whole(pixels, 1.0).labels)
    assert stability(whole, pixels, labels) == 1
    assert stability(by_scale, pixels, labels) == 0
    assert np.isnan(stability(whole, pixels, NONE))


def test_dark_nuclei_go_to_the_network_that_knows_them() -> None:
    """`nuclei` looks for what is bright: of dark nuclei it finds pieces, and expects little."""
    from cellpipe.simulate.kinds import simulate_scene

    rng = np.random.default_rng(11)
    images = []
    while len(images) < 2:
        scene = simulate_scene(rng, (256, 256), "nuclei")
        if scene.labels.max() > 8:
            images.append((scene.pixels.max() - scene.pixels.astype(np.float32), scene.labels))
    names = ("nuclei", "nuclei_general")
    engines = {name: load_engine("cellpipe", name, threads=1) for name in names}
    finders = [
        Candidate(name, lambda p, z, engine=engine: segment_nuclei(p, 1 / z, engine=engine))
        for name, engine in engines.items()
    ]
    seen = [seen_by_all(finders, pixels) for pixels, _ in images]
    compared = weighed(list(engines), seen)
    pairs = zip(seen, images, strict=True)
    f1 = [[agreement(truth, own) for own in one.labels] for one, (_, truth) in pairs]
    known, general = np.mean(f1, axis=0)
    assert compared.best == 1
    assert general > known + 0.3


SEGMENT: dict[str, Any] = {
    "objects": "nuclei",
    "nuclei": {
        "channel": "dna",
        "engine": "auto",
        "auto": {"images": 4, "candidates": []},
        "licence": None,
    },
}
PLACE: dict[str, Any] = {"length_known": True, "device": "cpu", "threads": 1, "seed": 1}
FRAMES = [("B02", field, 0) for field in (1, 2, 3, 4)]


def test_frames_that_cannot_be_used_are_counted_and_end_nothing() -> None:
    nuclei = np.where(THREE > 0, 900, 100) + np.random.default_rng(1).normal(0, 5, THREE.shape)

    def read(frame: tuple[str, int, int]) -> Image:
        if frame[1] == 1:
            raise BadImage(seen="a cut file", wanted="a whole one", do="copy it again")
        broken = np.full(THREE.shape, np.nan)  # which engines refuse
        return Image.of((broken if frame[1] == 2 else nuclei)[None], "cyx")

    choice, shown = of_plates.choose(SEGMENT, FRAMES, read, 0.5, **PLACE)
    assert [frame[1] for frame in choice.frames] == [3, 4]
    assert "2 of 4 images of the sample could not be used" in choice.why
    assert len(shown) == 4
    nothing, none = of_plates.choose(SEGMENT, FRAMES[:2], read, 0.5, **PLACE)
    assert (nothing.name, len(nothing.frames), none.size) == ("nuclei", 0, 0)
    assert "2 of 2 images" in nothing.why


def test_a_candidate_for_a_known_scale_is_refused_where_it_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be compared at a wrong one."""

    class Scaled:
        pixel_size_um = 0.5

    monkeypatch.setattr(of_plates.of_frame, "load_engine_of", lambda *place: Scaled())
    with pytest.raises(BadConfig, match="pixel size is unknown"):
        of_plates.choose(SEGMENT, [], lambda frame: None, 1.0, **{**PLACE, "length_known": False})


def test_no_more_of_a_large_frame_is_read_than_is_compared() -> None:
    class Watched:
        shape, dtype, read = (1, 50_000, 50_000), np.dtype(np.uint16), 0

        def __getitem__(self, place: Any) -> np.ndarray:
            y, x = place[1:]
            self.read += (y.stop - y.start) * (x.stop - x.start)
            return np.zeros((1, y.stop - y.start, x.stop - x.start), np.uint16)

    watched = Watched()
    part = of_plates.middle(Image(watched, "cyx", block_px=4096), 1024)
    assert part.shape == (1, 1024, 1024)
    assert watched.read == part.size
