"""What a microscope recorded of its images: sizes, names of channels, positions, objective.

Every format reads it from its own place (an index next to the images, the file itself) into
one `VendorMetadata`. What is not recorded is absent, and never guessed; a number that was seen and
cannot be understood is a fault, as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cellpipe.image.units import in_words, is_square
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.units.tags import TOLERANCE

Read = Callable[[str, int], Header]
Size = tuple[float, float]  # edges of a pixel, y and x, in µm
Place = tuple[str, int]  # well and field


@dataclass
class VendorMetadata:
    """Metadata of a plate, or of one file, with their sources.

    file : name of the file that holds them, for messages
    by_file, by_channel : edges of a pixel (y, x) in µm, by name of an image file, by channel token
    of_all : the same of every image
    size_source, z_source, time_source : file and element, such as "Index.xml ImageResolutionX"
    z_um, step_s : step in z (µm) and between frames (s)
    channels : channel token → its name at the microscope
    positions : (well, field) → centre (y, x) in µm, y downwards, relative to `origin`
    origin : "centre of the well", "stage" …; "" where there are no positions
    objective : as recorded, such as "20x / 0.4 Air"; "" where it is not
    objective_source, channels_source, positions_source : file and element
    files : names of the image files that the metadata list
    listed_in : the file that lists them, where it is another one than `file`
    errors : what went wrong as images were taken, in the microscope's words
    planned : what was to be taken: "wells", "fields", "channels", "frames" → number
    fault : why it cannot be read; "" if it can
    columns : of the plate, which place wells that names number; None where they are not recorded
    channel_in_name : finds the channel token in the name of an image file that is not listed
    """

    file: str
    by_file: dict[str, Size] = field(default_factory=dict)
    by_channel: dict[str, Size] = field(default_factory=dict)
    of_all: Size | None = None
    size_source: str = ""
    z_um: float | None = None
    z_source: str = ""
    step_s: float | None = None
    time_source: str = ""
    channels: dict[str, str] = field(default_factory=dict)
    channels_source: str = ""
    positions: dict[Place, tuple[float, float]] = field(default_factory=dict)
    positions_source: str = ""
    origin: str = ""
    objective: str = ""
    objective_source: str = ""
    files: list[str] = field(default_factory=list)
    listed_in: str = ""
    errors: list[str] = field(default_factory=list)
    planned: dict[str, int] = field(default_factory=dict)
    fault: str = ""
    columns: int | None = None
    channel_in_name: re.Pattern[str] | None = None

    def size_of(self, file: str) -> Size | None:
        """Edges of a pixel of an image file: its own, its channel's, or that of all images."""
        channel = self.channel_in_name and self.channel_in_name.search(file)
        own = self.by_file.get(file) or self._by_small_name.get(file.lower())
        own = own or (channel and self.by_channel.get(channel[1]))
        return own or self.of_all or self._common

    def absent(self, names: Iterable[str]) -> list[str]:
        """Files of the list that are not among these names; Windows ignores their case."""
        there = {name.lower() for name in names}
        return [file for file in self.files if file.lower() not in there]

    @cached_property
    def _by_small_name(self) -> dict[str, Size]:
        return {name.lower(): size for name, size in self.by_file.items()}

    @cached_property
    def _common(self) -> Size | None:
        """The size on which all images agree."""
        sizes = [*self.by_file.values(), *self.by_channel.values()]
        alike = all(is_square(a, b) for s in sizes for a, b in zip(s, sizes[0], strict=True))
        return sizes[0] if sizes and alike else None

    def over(self, header: Header, file: str) -> Header:
        """The header of an image file with what is recorded here, which takes precedence."""
        if self.step_s:
            header = replace(header, time_step_s=self.step_s, time_source=self.time_source)
        if self.z_um:
            header = replace(header, z_step_um=self.z_um, z_source=self.z_source)
        if self.objective:
            header = replace(header, objective=self.objective)
        size = self.size_of(file)
        if size is None:
            if not self.size_source:  # metadata of a kind that holds no sizes
                return header
            reason = self.fault or f"no {self.size_source.split()[-1]} for this file"
            return replace(header, scale_doubt=f"{header.scale_doubt}; {self.file}: {reason}")
        return replace(
            header,
            pixel_size_um=size[1],
            pixel_size_y_um=size[0],
            scale_source=self.size_source,
            scale_contradiction=self._unlike(header, size),
        )

    def _unlike(self, header: Header, size: Size) -> str:
        """The size in the image's own tags, where it is believed and another than this one."""
        x = header.pixel_size_um
        if not x:
            return ""
        own = (header.pixel_size_y_um or x, x)
        if all(abs(a - b) <= TOLERANCE * b for a, b in zip(own, size, strict=True)):
            return ""
        return f"{in_words(*own)} in the {header.scale_source}, unlike {self.size_source}"


def with_vendor(
    read: Read, folder: Path, recorded: Callable[[Path], VendorMetadata | None]
) -> Read:
    """`read` for paths below a folder, with what is `recorded` of an image, by its path."""

    def read_header(path: str, page: int) -> Header:
        header = read(path, page)
        found = recorded(folder / path)
        return header if found is None else found.over(header, Path(path).name)

    return read_header
