"""Names for the channels of several plates: the same name for what shows the same.

    plate   its channels                    config
    A       1 HOECHST, 2 GFP, 3 Cy5         channels         hoechst: "1"  gfp: "2"  cy5: "3"
    B       1 GFP, 2 DAPI                   channel_sets.B   gfp: "1"  hoechst: "2"

Channels are the same where the microscopes named them alike, or both show nuclei, or one is without
a name and its token is the other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cellpipe.inspect.channels import Channel, keys, nuclei


class ChannelSet(NamedTuple):
    """Channels of some plates, in their order.

    name : of the set; "" for `channels` of the config
    keys : token → name in the config
    """

    name: str
    channels: Sequence[Channel]
    keys: dict[str, str]


class Sets(NamedTuple):
    """sets : `channels` first; of_plates : the name of each plate's set; notes : sentences."""

    sets: list[ChannelSet]
    of_plates: list[str]
    notes: list[str]


def channel_sets(
    plates: Sequence[Sequence[Channel]], names: Sequence[str], named: Sequence[str] = ()
) -> Sets:
    """The channels of plates as sets for a config.

    Parameters
    ----------
    plates : channels of each plate
    names : of the plates, by which sets are named
    named : the channel of nuclei as a person named it, see `channels.nuclei`
    """
    alike = [tuple((channel.token, channel.name) for channel in own) for own in plates]
    counts = Counter(alike)
    # `channels` are those of most plates, of those whose nuclei are known if there are any
    best = max(
        range(len(plates)),
        key=lambda n: (nuclei(plates[n], named)[0] is not None, counts[alike[n]], -n),
    )
    common = ChannelSet("", plates[best], keys(plates[best]))
    shown = nuclei(common.channels, named)[0]
    sets, of_plates, notes = [common], [], []
    for own, name in zip(plates, names, strict=True):
        by_token, why = _named_like(common, shown, own, named)
        notes += [f"{name}: {sentence}" for sentence in why]
        same = next((one for one in sets if one.keys == by_token), None)
        if same is None:
            same = ChannelSet(name, own, by_token)
            sets.append(same)
            if shown and common.keys[shown.token] not in by_token.values():
                notes.append(
                    f"'channel_sets.{name}' must be set: none of its channels is known to show "
                    f"nuclei; give that one the name '{common.keys[shown.token]}'"
                )
        of_plates.append(same.name)
    return Sets(sets, of_plates, notes)


def _named_like(
    common: ChannelSet, shown: Channel | None, own: Sequence[Channel], named: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Names for the channels of a plate, by token: the common ones where they are alike."""
    by_name = {channel.name.lower(): channel for channel in common.channels}
    by_token = {channel.token: channel for channel in common.channels}
    of_nuclei = nuclei(own, named)[0]
    found: dict[str, str] = {}
    notes: list[str] = []
    for channel in own:
        same = by_name.get(channel.name.lower())
        if same is None and channel.name == channel.token and channel.token in by_token:
            same = by_token[channel.token]
            notes.append(f"token '{channel.token}' has no name, and is taken for '{same.name}'")
        if (
            same is None
            and channel == of_nuclei
            and shown
            and shown.name.lower() not in {other.name.lower() for other in own}
        ):
            same = shown
            notes.append(f"'{channel.name}' and '{same.name}' both show nuclei: one name for both")
        if same is not None and common.keys[same.token] not in found.values():
            found[channel.token] = common.keys[same.token]
    rest = [channel for channel in own if channel.token not in found]
    if rest:
        words = ", ".join(f"'{channel.name}'" for channel in rest)
        notes.append(
            f"{words}: of no other plate by name; if one shows the same as another's, write the "
            "same name in its set"
        )
    taken = {*common.keys.values(), *found.values()}
    for channel, key in zip(rest, keys(rest).values(), strict=True):
        n, free = 1, key
        while free in taken:
            n += 1
            free = f"{key}_{n}"
        found[channel.token] = free
        taken.add(free)
    return {channel.token: found[channel.token] for channel in own}, notes
