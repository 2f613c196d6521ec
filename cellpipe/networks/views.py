"""What a network finds in parts of one image at several scales, each looked at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cellpipe.image.axes import Image
from cellpipe.image.tiles import Place
from cellpipe.networks.calibration import Calibration
from cellpipe.networks.expected import Expectation, Expected, image_features
from cellpipe.networks.look import Look
from cellpipe.networks.scale_search import Seen

Objects = tuple[np.ndarray, np.ndarray]  # labels (Y, X) 1..n, features (n, F)
FOREGROUND = 0  # the first of an object's features


class Views:
    """Parts of an image (C, Y, X) at several scales."""

    def __init__(self, look: Look, image: Image) -> None:
        self.look, self.image = look, image
        self.shape = (image.shape[1], image.shape[2])
        self.whole: Place = (slice(0, self.shape[0]), slice(0, self.shape[1]))
        card = look.network.card
        self._real = None if card.calibration is None else Calibration.of_card(card.calibration)
        self._good = None if card.expectation is None else Expectation.of_card(card.expectation)
        self._known: dict[tuple[int, ...], Objects] = {}

    @property
    def judging(self) -> bool:
        """Whether the network's card says how good a segmentation is."""
        return self._real is not None and self._good is not None

    def objects(self, place: Place, scale: float) -> Objects:
        """`Look.objects` of a part at a scale."""
        key = (*(end for cut in place for end in (cut.start, cut.stop)), round(scale * 1e6))
        if key not in self._known:
            self._known[key] = replace(self.look, scale=scale).objects(self.image, place)
        return self._known[key]

    def known(self, scale: float) -> Objects | None:
        """The objects of the whole image at a scale, where it was looked at as a whole."""
        key = (0, self.shape[0], 0, self.shape[1], round(scale * 1e6))
        return self._known.get(key)

    def seen(self, place: Place, scale: float) -> Seen:
        """Objects of a part that are real rather than not: pieces do not show how large a whole is.

        All, with their mean foreground probability, where nothing is known of that.
        """
        labels, features = self._part(place, scale)
        if self._real is None:
            return Seen(labels, features[:, FOREGROUND])
        probability = self._real.probability(features)
        return kept(Seen(labels, probability), probability >= (self._real.least or 0.0))

    def expected(self, place: Place, scale: float) -> Expected:
        """How good the objects of a part at a scale are; needs `judging`."""
        assert self._real is not None
        assert self._good is not None
        _, features = self._part(place, scale)
        probability = self._real.probability(features)
        real = probability >= (self._real.least or 0.0)
        return self._good.of(image_features(probability, features[:, FOREGROUND], real))

    def _part(self, place: Place, scale: float) -> Objects:
        """Objects of a part; cut from those of the whole where that was looked at."""
        whole = self.known(scale)
        if whole is None:
            return self.objects(place, scale)
        labels = whole[0][place]
        there = np.bincount(labels.ravel(), minlength=len(whole[1]) + 1)[1:] > 0
        return kept(Seen(labels, there), there).labels, whole[1][there]


def kept(seen: Seen, those: np.ndarray) -> Seen:
    """Only some of the objects, bool (n,), numbered 1..m in their old order."""
    number = np.concatenate([[0], np.where(those, np.cumsum(those), 0)]).astype(np.uint32)
    return Seen(number[seen.labels], seen.probability[those])
