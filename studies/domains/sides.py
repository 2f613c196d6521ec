"""What a network has learned from, by its card: no image of that is judged as if it were new."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from domains import Image

from cellpipe.config.reading import read_yaml
from cellpipe.errors import CellpipeError
from cellpipe.networks.card import Card, load_card

RECIPES = Path(__file__).parents[2] / "config/training"
# of an image, the strongest first
LEARNED, CHOSE, PART, NEW = "learned", "chose", "part", ""
NOT_NEW = (LEARNED, CHOSE)  # no measure of what the network does with images that it never saw


class Sides(NamedTuple):
    """Stems of the files that a network learned from, and of those that chose its step."""

    train: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()

    def of(self, image: Image) -> str:
        """Whether an image is new to the network.

        "learned": it, or a part or another frame of its field, was learned from; "chose": the same
        on the validation side; "part": it was held back, but other parts of its field, or other
        images of the same material, were learned from; "": none of these.
        """
        learned = self._field_in(image, self.train)
        if image.name in self.train or (learned and not image.part):
            return LEARNED
        if self._field_in(image, self.validation) and not image.part:
            return CHOSE
        return PART if learned or self._related(image) else NEW

    def _field_in(self, image: Image, stems: frozenset[str]) -> bool:
        return any(image.domain.field_of(stem) in image.fields for stem in stems)

    def _related(self, image: Image) -> bool:
        """Whether another image of the same material was learned from."""
        pattern = image.domain.related
        return bool(pattern) and any(re.search(pattern, stem) for stem in self.train)


def sides_of(weights: str) -> Sides:
    """By the card of the weights, and by that of the weights that they began with.

    Raises CellpipeError if these are not there: then nobody knows what they learned from.
    """
    sides, seen = Sides(), set()
    while weights and weights not in seen:
        seen.add(weights)
        card = load_card(weights)
        sides = Sides(
            sides.train | _stems(card, "train"), sides.validation | _stems(card, "validation")
        )
        weights = _initial(card)
        while (recipe := _recipe_of_absent(weights)) is not None:
            weights = _before(card, recipe)
    return sides


def _recipe_of_absent(weights: str) -> Path | None:
    """The recipe of a part of a training whose weights are not at hand."""
    recipe = RECIPES / f"{Path(weights).stem}.yaml"
    absent = weights.endswith(".safetensors") and not Path(weights).is_file()
    return recipe if absent and recipe.is_file() else None


def _before(card: Card, recipe: Path) -> str:
    """What a part of a training that is not at hand began with.

    Its sets have to be those of the card, on the same sides: recipes in parts are written so.
    Raises CellpipeError for others.
    """
    part = read_yaml(recipe, "training config")
    known = {name.split("/")[0] for name in card.extra["split"]}
    if not {of_set["name"] for of_set in part["sets"]} <= known:
        raise CellpipeError(
            seen=f"no weights of {recipe.stem}, with which {card.name} began, and other sets there",
            wanted="the card of those weights, to know what they learned from",
            do=f"train them: snakemake --snakefile rules/train.smk -- {_initial(card)}",
        )
    return str(part.get("initial") or "")


def _initial(card: Card) -> str:
    return str(card.extra.get("training", {}).get("initial") or "")


def _stems(card: Card, side: str) -> frozenset[str]:
    """Stems of the files of a side of all sets. Raises CellpipeError for a card without a split."""
    split = card.extra.get("split")
    if split is None:
        raise CellpipeError(
            seen=f"the card of {card.name} without a split",
            wanted="a card that lists the files of each side, as trainings write it",
            do="judge weights whose card says what they learned from",
        )
    return frozenset(
        Path(file).stem
        for name, files in split.items()
        if name.endswith(f"/{side}")
        for file in files
    )
