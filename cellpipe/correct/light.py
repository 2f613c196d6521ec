"""The light of a plate, channel by channel: what was found, what was decided, and its correction.

    corrected = (grey value - dark field) / light + dark level

The light has mean 1 over the field, so that grey values stay those of the camera on average. What
the plate stores is never changed: images are corrected on their way to a stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.surface import K, light_of, patch
from cellpipe.image.axes import Image
from cellpipe.image.tiles import Place

DIGITS = 6  # of coefficients: the last bits of a fit differ from processor to processor
KEPT_PX = 8_000_000  # of a light that is kept in memory for the next frame
STRENGTH_PX = 64  # edge of the grid on which brightest and darkest places are looked up


@dataclass(frozen=True)
class ChannelLight:
    """The light of one channel.

    applied : whether images are corrected; `why` or why not
    method : "estimate" or "vendor"; "" where no light is known
    coefficients : of the logarithm of the light, (K, K) as nested lists; [] where unknown
    dark_field : of the grey value without light, (K, K) as nested lists; [] where it is the dark
        level all over the field
    dark_level : grey value without light, on average; dark_seen : whether it was found or given,
        not assumed
    explained : see `profile.Found`; NaN where it cannot be judged
    n_fields, n_frames : that the light was found from; 0 for a vendor's profile
    source : of a vendor's profile, the file and its entry
    gain, offset : of each frame of a movie, see `bleaching`; [] for no correction over time
    """

    channel: str
    applied: bool = False
    why: str = ""
    method: str = ""
    coefficients: Sequence[Sequence[float]] = ()
    dark_level: float = 0.0
    dark_field: Sequence[Sequence[float]] = ()
    dark_seen: bool = False
    explained: float = float("nan")
    n_fields: int = 0
    n_frames: int = 0
    source: str = ""
    gain: Sequence[float] = ()
    offset: Sequence[float] = ()
    over_time: str = ""
    _kept: dict[Any, np.ndarray] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def _array(self) -> np.ndarray:
        return np.asarray(self.coefficients, float).reshape(K, K)

    @cached_property
    def _field(self) -> np.ndarray:
        return np.asarray(self.dark_field, float).reshape(K, K)

    @cached_property
    def _scale(self) -> float:
        """What the light is divided by, for its mean over the field to be 1."""
        exponent = patch(self._array, _whole((STRENGTH_PX, STRENGTH_PX)), (STRENGTH_PX,) * 2)
        return float(np.exp(exponent).mean(dtype=np.float64))

    @property
    def known(self) -> bool:
        return len(self.coefficients) > 0

    @property
    def ratio(self) -> float:
        """Light at the brightest place over that at the darkest; NaN where it is unknown."""
        if not self.known:
            return float("nan")
        light = self.light((STRENGTH_PX, STRENGTH_PX))
        return float(light.max() / light.min())

    def light(self, shape: tuple[int, int]) -> np.ndarray:
        """The light over a field of `shape`, mean 1, float32 (Y, X)."""
        return light_of(self._array, shape)

    def corrected(
        self, pixels: np.ndarray, place: Place, shape: tuple[int, int], t: int = 0
    ) -> np.ndarray:
        """Pixels (Y, X) at `place` of a field of `shape` in even light, float32."""
        even = pixels.astype(np.float32)
        if self.applied:
            level = np.float32(self.dark_level)
            even -= patch(self._field, place, shape) if len(self.dark_field) else level
            even *= self._inverse(place, shape)
            even += level
        if len(self.gain):
            even *= np.float32(self.gain[t])
            even += np.float32(self.offset[t])
        return even

    def _inverse(self, place: Place, shape: tuple[int, int]) -> np.ndarray:
        """1 / light at a place; that of whole frames is kept, because all frames need it."""
        key = (shape, *((cut.start, cut.stop) for cut in place))
        if key not in self._kept:
            made = np.float32(self._scale) * np.exp(-patch(self._array, place, shape))
            if made.size > KEPT_PX or made.shape != shape:
                return made
            self._kept.clear()
            self._kept[key] = made
        return self._kept[key]

    @property
    def acts(self) -> bool:
        """Whether pixels of the channel are altered."""
        return self.applied or len(self.gain) > 0

    def as_dict(self) -> dict[str, Any]:
        facts = {key: value for key, value in self.__dict__.items() if key[0] != "_"}
        facts["coefficients"] = np.round(self._array, DIGITS).tolist() if self.known else []
        facts["dark_field"] = np.round(self._field, 3).tolist() if len(self.dark_field) else []
        facts["explained"] = None if np.isnan(self.explained) else round(self.explained, 4)
        facts["dark_level"] = round(self.dark_level, 3)
        for name in ("gain", "offset"):
            facts[name] = [round(float(value), DIGITS) for value in facts[name]]
        return {**facts, "ratio": None if not self.known else round(self.ratio, 4)}

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> ChannelLight:
        own = {name: facts[name] for name in facts if name not in ("ratio", "explained")}
        explained = float("nan") if facts["explained"] is None else float(facts["explained"])
        return ChannelLight(**own, explained=explained)


def _whole(shape: tuple[int, int]) -> Place:
    return slice(0, shape[0]), slice(0, shape[1])


@dataclass(frozen=True)
class Light:
    """The light of the channels of a plate; without channels, nothing is corrected."""

    channels: Mapping[str, ChannelLight] = field(default_factory=dict)

    @staticmethod
    def read(text: str) -> Light:
        """From what `as_text` returned."""
        facts = json.loads(text)["channels"]
        return Light({own["channel"]: ChannelLight.from_dict(own) for own in facts})

    def table(self) -> pd.DataFrame:
        """A row per channel: its facts but the light itself, and ``ratio``."""
        names = ("channel", "applied", "why", "method", "dark_level", "dark_seen", "explained")
        rows = [(*(getattr(c, n) for n in names), c.ratio) for c in self.channels.values()]
        return pd.DataFrame(rows, columns=[*names, "ratio"])

    def as_text(self) -> str:
        facts = [own.as_dict() for own in self.channels.values()]
        return json.dumps({"channels": facts}, indent=1) + "\n"

    def key(self, channels: Sequence[str]) -> dict[str, str]:
        """What of the light decides results from these channels: nothing where none is altered."""
        names = ("coefficients", "dark_level", "dark_field", "applied", "gain", "offset")
        used = {
            name: [self.channels[name].as_dict()[key] for key in names]
            for name in channels
            if name in self.channels and self.channels[name].acts
        }
        if not used:
            return {}
        return {"light": hashlib.sha256(json.dumps(used).encode()).hexdigest()[:16]}

    def even(self, image: Image, channels: Sequence[str], t: int = 0) -> Image:
        """A frame (C, Y, X) of these channels in even light, float32, not read yet.

        The frame itself where no channel of it is altered.
        """
        own = [self.channels.get(name) for name in channels]
        if not any(light is not None and light.acts for light in own):
            return image
        even = image.of_same_blocks(_Even(image, own, t), "cyx")
        in_memory = image.one_block and isinstance(image.pixels, np.ndarray)
        return Image(even.whole(), "cyx") if in_memory else even


class _Even:
    """A frame (C, Y, X) that is corrected when it is read."""

    def __init__(self, image: Image, lights: Sequence[ChannelLight | None], t: int) -> None:
        self.image, self.lights, self.t = image, list(lights), t
        self.shape, self.dtype = image.shape, np.dtype(np.float32)

    def __getitem__(self, place: Any) -> np.ndarray:
        c, *cuts = place
        y, x = (slice(*cut.indices(n)[:2]) for cut, n in zip(cuts, self.shape[1:], strict=True))
        raw = self.image[c, y, x]
        out = np.empty(raw.shape, np.float32)
        field_shape = (self.shape[1], self.shape[2])
        for k, light in enumerate(self.lights[c]):
            acts = light is not None and light.acts
            out[k] = light.corrected(raw[k], (y, x), field_shape, self.t) if acts else raw[k]
        return out

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("what is corrected is only read")
