"""Train a network that scores links: the true ones among the candidates of known movies.

Candidates come from the linker itself, after the passes that use statistics only; the score of a
validation is that of the links in the end. The weight of the network in a gain is chosen on the
validation movies, and may be nothing.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from cellpipe.errors import BadConfig
from cellpipe.track.cells import add_events, linked_frames
from cellpipe.track.clues import DIVISION_CLUES, LINK_CLUES
from cellpipe.track.detections import Detections, from_table
from cellpipe.track.frames import Laws, Links
from cellpipe.track.learned import link_again, told_choices
from cellpipe.track.lineage import links_of
from cellpipe.track.linking import SCALE, LinkNetwork, load_link_network
from cellpipe.training.linking_plan import LinkingPlan
from cellpipe.training.loop import fit
from cellpipe.training.schedule import Schedule
from cellpipe.training.trained import Trained
from cellpipe.training.true_links import DRAWN, SIDES, TrueMovie

log = logging.getLogger(__name__)
MAX_GAP_FRAMES = 2
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a gain, from the network; of equals, the least
STEPS = len(SIDES)  # generator of the steps: those of a side's movies have lower numbers


@dataclass(frozen=True)
class Told:
    """A movie as the statistics link it, and its true links as rows (source, target)."""

    detections: Detections
    laws: Laws
    links: Links
    reach_um: float
    truth: set[tuple[int, int]]

    @classmethod
    def of(cls, movie: TrueMovie) -> Told:
        detections, order = from_table(movie.points)
        source, target = links_of(movie.points.iloc[order].reset_index(drop=True))
        known = linked_frames(detections, movie.reach_um, divisions=True)
        pairs = zip(source.tolist(), target.tolist(), strict=True)
        return cls(*known, movie.reach_um, set(pairs))

    def examples(self) -> list[np.ndarray]:
        """Clues and truth of all candidate links (E, F), (E,), and divisions (D, G), (D,)."""
        n, (source, target) = len(self.detections), np.array(sorted(self.truth)).reshape(-1, 2).T
        next_frame = self.detections.t[target] == self.detections.t[source] + 1
        before = np.full(n, -1)
        before[target[next_frame]] = source[next_frame]
        daughters = np.bincount(before[before >= 0], minlength=n)
        nothing = np.zeros(0, bool)
        found = [
            (
                np.zeros((0, LINK_CLUES), np.float32),
                nothing,
                np.zeros((0, DIVISION_CLUES), np.float32),
                nothing,
            )
        ]
        told = told_choices(self.detections, self.laws, self.links, self.reach_um)
        for c, of_links, of_divisions in told:
            right = (before[c.j] == c.i) & (daughters[c.i] == 1)
            divides = (before[c.s] == c.m) & (before[c.r] == c.m)
            found.append((of_links, right, of_divisions, divides))
        return [np.concatenate(part) for part in zip(*found, strict=True)]

    def scores(self, judge: LinkNetwork | None) -> dict[str, float]:
        """F1 of all links, and of divisions in the right frame (NaN where there are none)."""
        if judge is None:
            links = copy.deepcopy(self.links)
        else:
            links = link_again(self.detections, self.laws, self.links, judge, self.reach_um)
        add_events(self.detections, self.laws, links, self.reach_um, MAX_GAP_FRAMES)
        source, target = links.pairs()
        found = set(zip(source.tolist(), target.tolist(), strict=True))
        return {
            "f1": _f1(self.truth, found),
            "division_f1": _f1(_divided(self.truth), _divided(found)),
        }


def _f1(truth: set, found: set) -> float:
    claimed = len(truth) + len(found)
    return 2 * len(truth & found) / claimed if claimed else float("nan")


def _divided(links: set[tuple[int, int]]) -> set[tuple[int, ...]]:
    """Mothers, each with her daughters."""
    after: dict[int, list[int]] = {}
    for source, target in sorted(links):
        after.setdefault(source, []).append(target)
    return {(mother, *daughters) for mother, daughters in after.items() if len(daughters) > 1}


@dataclass(frozen=True)
class Candidates:
    """Candidates to learn from.

    clues : float32 array, shape (E, F)
    true : float32 array, shape (E,), 0 or 1
    reach : float array, shape (E,), ascending; row k is sampled where a random number falls below
    reach[k]
    """

    clues: np.ndarray
    true: np.ndarray
    reach: np.ndarray

    @classmethod
    def of(
        cls, clues: list[np.ndarray], true: list[np.ndarray], movies: pd.DataFrame
    ) -> Candidates:
        """Candidates of the movies, each part one movie's; a set's weight is shared by its rows."""
        n = pd.Series([len(part) for part in clues], index=movies.index)
        weight = movies["weight"] / n.groupby(movies["set"]).transform("sum")
        reach = np.cumsum(np.repeat(weight.to_numpy(), n.to_numpy()))
        return cls(np.concatenate(clues), np.concatenate(true).astype(np.float32), reach)

    def sampled(self, rng: np.random.Generator, n: int) -> tuple[Tensor, Tensor]:
        """Clues (n, F) and truth (n,) of some."""
        rows = np.searchsorted(self.reach, rng.random(n) * self.reach[-1], side="right")
        rows = np.minimum(rows, len(self.true) - 1)
        return torch.from_numpy(self.clues[rows]), torch.from_numpy(self.true[rows])


def read_candidates(movies: pd.DataFrame) -> tuple[Candidates, Candidates]:
    """Candidate links and divisions of the movies that train.

    Raises BadConfig where they hold none of a kind: there is nothing to learn from then.
    """
    examples = [Told.of(row.pair.read()).examples() for row in movies.itertuples()]
    of_links, right, of_divisions, divides = map(list, zip(*examples, strict=True))
    for what, true in (("links", right), ("divisions", divides)):
        if not any(part.any() for part in true):
            raise BadConfig(
                seen=f"no true {what} among the candidates of {len(movies)} movie(s)",
                wanted="some to learn from",
                do="simulate movies as well ('linking.movies'), or give longer ones",
            )
    log.info("%d candidate links, %d divisions", sum(map(len, right)), sum(map(len, divides)))
    return (
        Candidates.of(of_links, right, movies),
        Candidates.of(of_divisions, divides, movies),
    )


def sample_batch(
    schedule: Schedule, known: tuple[Candidates, Candidates], step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The candidates of one step: clues (B, F + G), truth (B, 2), valid (B, 1)."""
    rng = np.random.default_rng([schedule.seed, STEPS, step])
    parts = [candidates.sampled(rng, schedule.batch) for candidates in known]
    clues = torch.cat([clues for clues, _ in parts], dim=1)
    return clues, torch.stack([true for _, true in parts], dim=1), torch.ones(len(clues), 1)


def linking_loss(log_odds: Tensor, true: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of links and of divisions."""
    entropy = F.binary_cross_entropy_with_logits(log_odds, true, reduction="none")
    link, division = (entropy * valid).sum(0) / valid.sum()
    return {"link": link, "division": division}


def fresh_or_known(plan: LinkingPlan, known: tuple[Candidates, Candidates]) -> LinkNetwork:
    """The network to train, its clues on the scale of what is learned from; or the initial one.

    Raises BadConfig for initial weights of another network.
    """
    if plan.initial is None:
        network = LinkNetwork(plan.network)
        network.fit_scale(*(candidates.clues for candidates in known))
        return network
    network = load_link_network(plan.initial)
    if network.config != plan.network:
        raise BadConfig(
            seen=f"initial weights {plan.initial} of widths {list(network.config.widths)}",
            wanted=f"those of 'network': {list(plan.network.widths)}",
            do="correct 'initial' or 'network' in the training config",
        )
    network.share.fill_(LinkNetwork(plan.network).share)
    return network.requires_grad_(True)


def score_movies(network: LinkNetwork, movies: list[tuple[Told, pd.Series]]) -> pd.DataFrame:
    """F1 of links and divisions of each movie, with the network and without: set, side, file,
    f1, division_f1, f1_without, division_f1_without."""
    rows = []
    for told, movie in movies:
        without = {f"{name}_without": score for name, score in told.scores(None).items()}
        place = {name: movie[name] for name in ("set", "side", "file")}
        rows.append(place | told.scores(network) | without)
    return pd.DataFrame(rows)


def mean_f1(network: Any, movies: list[Told]) -> float:
    """F1 of links with a `LinkNetwork`, the mean over movies."""
    return float(np.mean([told.scores(network)["f1"] for told in movies]))


def choose_share(network: LinkNetwork, validation: list[Told]) -> None:
    """Give the network the share of a gain at which the validation movies score best."""
    means = []
    for share in SHARES:
        network.share.fill_(share)
        means.append(mean_f1(network, validation))
    log.info("share of the network: F1 of links %s", dict(zip(SHARES, means, strict=True)))
    network.share.fill_(SHARES[int(np.argmax(means))])


def deciding(movies: pd.DataFrame) -> pd.Series:
    """Rows by which a network is chosen: one's own validation movies; simulated ones if there are
    none.

    movies : set and side of each
    """
    validation, drawn = movies["side"] == "validation", movies["set"] == DRAWN
    own = validation & ~drawn
    return own if own.any() else validation


def verdict(network: LinkNetwork, scores: pd.DataFrame) -> str:
    """Whether to use it, as text, by the movies that decide."""
    means = scores[deciding(scores)].select_dtypes("number").mean()
    figures = f"F1 of links {means['f1']:.4f} with the network, {means['f1_without']:.4f} without"
    if float(network.share) == 0 or means["f1"] <= means["f1_without"]:
        return f"no improvement on the validation movies ({figures}): leave track.weights empty"
    return f"better on the validation movies ({figures}): recommended for track.weights"


def train_linking(plan: LinkingPlan, movies: pd.DataFrame, checkpoint: Path) -> Trained:
    """Train on the side "train", choose on "validation", score the sides that are held out."""
    known = read_candidates(movies[movies["side"] == "train"])
    rest = movies[movies["side"] != "train"]
    held_out = [(Told.of(row["pair"].read()), row) for _, row in rest.iterrows()]
    decide = deciding(rest)
    validation = [told for told, row in held_out if decide[row.name]]
    network, progress = fit(
        fresh_or_known(plan, known),
        lambda step: sample_batch(plan.schedule, known, step),
        linking_loss,
        lambda network: mean_f1(network, validation),
        plan.schedule,
        checkpoint,
    )
    choose_share(network, validation)
    scores = score_movies(network, held_out)
    said = verdict(network, scores)
    log.info("%s", said)
    return Trained(network, scores, progress, SCALE, [], verdict=said)
