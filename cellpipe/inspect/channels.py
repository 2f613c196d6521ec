"""Channels by the names that the microscope gave them, and the one that shows nuclei.

A stain of DNA is recognised by its name (DAPI, Hoechst …); where no name is of DNA, by its light:
DAPI and Hoechst are the stains that are excited below 410 nm, if a single channel is. In all other
cases the choice is left to a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

# stains and proteins that show every nucleus; SYTO 14 is not among them: it shows RNA
_NUCLEI = re.compile(
    r"dapi|hoechst|hoescht|hochst|hoe ?33|\bdna\b|dna$|^dna|draq ?-?[57]|h2b|nucle(?:i|us|ar)|"
    r"nucblue|sytox|to-?pro|propidium",
    re.IGNORECASE,
)
# light of 350 to 409 nm in a name that is only of light: "405", "Ch1_405nm", "385/30"
_ULTRAVIOLET = re.compile(r"(?<![\d/.,])(?:3[5-9]\d|40\d)(?= ?nm|[^\w.,]|_|$)")
_OTHER_BLUE = re.compile(
    r"[cb]fp|turquoise|cerulean|alexa|pacific|cascade|brilliant|bv ?421|dye", re.I
)
# names → colours of a display, as microscopes have them
_COLOURS = (
    (r"bright|phase|\bdic\b|\btl\b|trans(?:mi|\b)|\bbf\b|\bpc\b", "FFFFFF"),
    (_NUCLEI.pattern, "0000FF"),
    (r"gfp|fitc|488|fluorescein|green|\bcy2\b|yfp", "00FF00"),
    (r"cy5|647|640|633|far ?red|642", "FF00FF"),
    (r"tritc|cy3|texas|rfp|cherry|568|594|561|555|tomato|red|rhod", "FF0000"),
    (r"405|\bcfp\b|blue|ultra", "00FFFF"),
)
_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # no names in YAML
_REST = ("FFFF00", "FF8000", "00FFFF", "FFFFFF")


@dataclass(frozen=True)
class Channel:
    """A channel of a plate.

    token : as file names, or the metadata of an OME-Zarr plate, have it
    name : that the microscope gave it; the token where it gave none
    source : where the name was read
    """

    token: str
    name: str
    source: str


def told_apart(channels: Sequence[Channel]) -> list[Channel]:
    """The channels with names that no two share: one that several have gets the token too.

    MetaXpress names a wavelength by the setting it was taken with, which may be the same for all.
    """
    counts = Counter(channel.name.lower() for channel in channels)
    return [
        replace(channel, name=f"{channel.name} ({channel.token})")
        if counts[channel.name.lower()] > 1 and channel.name != channel.token
        else channel
        for channel in channels
    ]


def is_stain(word: str) -> bool:
    """Whether a word is a stain, a fluorophore or a kind of light."""
    return any(re.search(words, word, re.IGNORECASE) for words, _ in _COLOURS)


def _excited_below_410(name: str) -> bool:
    """Whether the first wavelength in a name is 350 to 409 nm, and no other stain is named."""
    numbers = re.search(r"(?<![\d.,])[2-9]\d\d(?!\d)", name)
    first = _ULTRAVIOLET.search(name)
    other = _OTHER_BLUE.search(name) or re.search(_COLOURS[0][0], name, re.IGNORECASE)
    return bool(first and numbers and first.start() == numbers.start() and not other)


def keys(channels: Sequence[Channel]) -> dict[str, str]:
    """Names for a config, by token: lower case, no two alike ("HOECHST 33342" → hoechst_33342)."""
    found: dict[str, str] = {}
    for channel in channels:
        word = re.sub(r"[^a-z0-9]+", "_", channel.name.lower()).strip("_")
        if not word or not word[0].isalpha() or word in _YAML:
            word = f"channel_{word or channel.token.lower()}"
        word = re.sub(r"[^a-z0-9_]+", "_", word)
        n, key = 1, word
        while key in found.values():
            n += 1
            key = f"{word}_{n}"
        found[channel.token] = key
    return found


def colours(channels: Sequence[Channel]) -> dict[str, str]:
    """A display colour for each channel (RRGGBB), by token."""
    found: dict[str, str] = {}
    rest = iter(_REST * len(channels))
    for channel in channels:
        own = (colour for words, colour in _COLOURS if re.search(words, channel.name, re.I))
        found[channel.token] = next(own, None) or next(rest)
    return found


def nuclei(channels: Sequence[Channel], named: Sequence[str] = ()) -> tuple[Channel | None, str]:
    """The channel that shows nuclei, and by what it was chosen; None with what to do.

    named : the choices of a person, names or tokens; of several plates each may have its own
    """
    names = ", ".join(f"'{channel.name}'" for channel in channels)
    for wanted in named:
        chosen = [c for c in channels if wanted.lower() in (c.name.lower(), c.token.lower())]
        if chosen:
            return chosen[0], "chosen by --nuclei"
    if named:
        words = ", ".join(f"'{wanted}'" for wanted in named)
        return None, f"no channel {words}: --nuclei takes one of {names}, and may be given again"
    fits = [channel for channel in channels if _NUCLEI.search(channel.name)]
    if len(fits) == 1:
        return fits[0], f"its name, '{fits[0].name}', is that of a stain of DNA"
    if len(channels) == 1:
        return channels[0], "the only channel: make sure that it shows nuclei"
    light = [c for c in channels if _excited_below_410(c.name)]
    if not fits and len(light) == 1:
        return light[0], (
            f"of the light of DAPI and Hoechst, by its name '{light[0].name}': make sure that it "
            "shows nuclei"
        )
    what = "several names are of DNA" if fits else "no name is that of a stain of DNA"
    return None, f"{what}: choose one of {names} by --nuclei"
