"""The network to train: fresh, or with the weights that the plan starts from."""

from __future__ import annotations

from safetensors.torch import load_file

from cellpipe.errors import BadConfig
from cellpipe.networks.card import load_card, weights_path
from cellpipe.networks.unet import UNet
from cellpipe.training.plan import Plan


def fresh_or_known(plan: Plan) -> UNet:
    """The network to train. Raises BadConfig for initial weights of another network."""
    network = UNet(plan.network)
    if plan.initial is None:
        return network
    card = load_card(plan.initial)
    try:
        known = load_file(weights_path(plan.initial))
        return network.start_from(known, card.architecture["outputs"])
    except (RuntimeError, ValueError) as fault:
        raise BadConfig(
            seen=f"initial weights {plan.initial} of a network {card.architecture}",
            wanted=f"weights of a network {plan.network.as_dict()}, or of some of its outputs",
            do="correct 'initial' or 'network' in the training config",
        ) from fault
