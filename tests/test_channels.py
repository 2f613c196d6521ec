"""Networks of several channels, cells by a network, and cells without nuclei.

  dna            reporter                 nuclei     cells
.  ●  .         .(     ).        →          ●       (  1  )
.  ●  ●         .(     (  )                 ● ●     (  2  | 3 )
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_networks import threshold_network
from scipy.ndimage import gaussian_filter

from cellpipe.config import sheets
from cellpipe.errors import BadConfig, BadImage
from cellpipe.metrics.labels import average_precision
from cellpipe.profiles.cytominer import compartment_name
from cellpipe.run.frames.segment import load_networks, segment_frame, segmented_channels
from cellpipe.segment.cells import cells_of_nuclei
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei

SCHEMAS = Path(__file__).parents[1] / "config/schemas"
CENTRES = [(y, x) for y in range(40, 240, 60) for x in range(40, 300, 60)]
FILES = r"(?P<well>[A-Z]\d\d)_(?P<channel>\w+)\.tif"


def discs(radius_px: float, shape: tuple[int, int] = (260, 320)) -> np.ndarray:
    """Labels uint32 (Y, X) of a disc around each centre, the largest radius just not touching."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance = np.stack([np.hypot(y - cy, x - cx) for cy, cx in CENTRES])
    return np.where(distance.min(0) < radius_px, distance.argmin(0) + 1, 0).astype(np.uint32)


NUCLEI, CELLS = discs(8), discs(22)


def lit(mask: np.ndarray, level: float, seed: int = 0) -> np.ndarray:
    noise = 8 * np.random.default_rng(seed).standard_normal(mask.shape)
    return np.clip(300 + level * gaussian_filter(mask.astype(float), 1.0) + noise, 0, None)


DNA, REPORTER = lit(NUCLEI > 0, 900), lit((CELLS > 0) & (NUCLEI == 0), 500, seed=1)
PHASE = lit(CELLS > 0, -200, seed=2)  # cells are darker than the medium


def settled(segment: dict[str, Any], **channels: str) -> dict[str, Any]:
    names = channels or {"dna": "1", "reporter": "2", "phase": "3"}
    config = {
        "plates": "plates.tsv",
        "channels": {name: {"source": source} for name, source in names.items()},
        "segment": segment,
    }
    return sheets.checked_config(config, SCHEMAS)


def segmented(segment: dict[str, Any], **pixels: np.ndarray) -> dict[str, np.ndarray]:
    options = settled(segment)["segment"]
    networks = load_networks(options, "cpu", 1)
    frame = np.stack([pixels[name] for name in segmented_channels(options)])
    layers, figures = segment_frame(frame, 1.0, options, networks)
    assert figures["n_nuclei"] == layers[options["objects"]].max()
    return layers


def test_cells_are_found_by_two_channels_together(tmp_path):
    # the cytoplasm alone is a ring: only with the nucleus beside it is the cell a whole one
    both = threshold_network(tmp_path / "both.safetensors", (1.0, 1.0), 0.4)
    nuclei = {"channel": "reporter", "extra_channels": ["dna"], "weights": str(both)}
    layers = segmented({"objects": "cells", "nuclei": nuclei}, reporter=REPORTER, dna=DNA)
    assert list(layers) == ["cells"]
    assert average_precision(CELLS, layers["cells"], [0.9])[0] == 1


def test_channels_keep_the_order_of_the_network(tmp_path):
    without = threshold_network(tmp_path / "minus.safetensors", (1.0, -1.0), 0.4)
    rest = {"weights": str(without), "min_area_um2": 0}
    reporter = {"nuclei": {"channel": "reporter", "extra_channels": ["dna"], **rest}}
    dna = {"nuclei": {"channel": "dna", "extra_channels": ["reporter"], **rest}}
    off = {"cells": {"method": "off"}}
    rings = segmented({**reporter, **off}, dna=DNA, reporter=REPORTER)["nuclei"]
    middles = segmented({**dna, **off}, dna=DNA, reporter=REPORTER)["nuclei"]
    assert average_precision(NUCLEI, middles, [0.7])[0] == 1
    assert average_precision(np.where(NUCLEI > 0, 0, CELLS), rings, [0.8])[0] == 1


def test_label_free_cells_are_found_without_nuclei(tmp_path):
    dark = threshold_network(tmp_path / "phase.safetensors", (-1.0,), -0.5)
    found = segmented(
        {"objects": "cells", "nuclei": {"channel": "phase", "weights": str(dark)}}, phase=PHASE
    )
    assert average_precision(CELLS, found["cells"], [0.8])[0] == 1


def test_cells_of_a_network_bear_the_values_of_their_nuclei(tmp_path):
    both = threshold_network(tmp_path / "both.safetensors", (1.0, 1.0), 0.4)
    cells = {
        "method": "network",
        "channel": "reporter",
        "extra_channels": ["dna"],
        "weights": str(both),
    }
    segment = {"nuclei": {"channel": "dna", "engine": "classical"}, "cells": cells}
    layers = segmented(segment, dna=DNA, reporter=REPORTER)
    assert average_precision(CELLS, layers["cells"], [0.9])[0] == 1
    inside = layers["nuclei"] > 0
    assert (layers["cells"][inside] == layers["nuclei"][inside]).all()
    assert set(np.unique(layers["cells"])) == set(np.unique(layers["nuclei"]))


def test_two_nuclei_share_a_drawn_cell_and_a_lone_one_is_a_cell():
    nuclei = np.zeros((20, 60), np.uint32)
    nuclei[8:12, 4:8], nuclei[8:12, 20:24], nuclei[8:12, 40:44] = 2, 1, 3
    drawn = np.zeros_like(nuclei)
    drawn[2:18, 2:28] = 1  # two nuclei
    drawn[2:18, 50:58] = 2  # none
    cells = cells_of_nuclei(nuclei, drawn)
    assert (cells[2:18, 2:14] == 2).all()
    assert (cells[2:18, 15:28] == 1).all()
    assert (cells == 3).sum() == 16
    assert not cells[:, 44:].any()
    assert not cells_of_nuclei(np.zeros_like(nuclei), drawn).any()


def test_a_cell_without_its_nucleus_has_no_cytoplasm_columns():
    assert compartment_name("dna_mean") == "Nuclei_dna_mean"
    assert compartment_name("dna_mean", whole_cells=True) == "Cells_dna_mean"


@pytest.mark.parametrize(
    ("nuclei", "seen", "wanted"),
    [
        (
            {"extra_channels": ["reporter"]},
            "2 channel(s) for 'segment.nuclei' (dna, reporter)",
            "1 chan",
        ),
        ({"extra_channels": ["reporter"], "engine": "classical"}, "2 channel(s)", "1 channel(s)"),
        (
            {"extra_channels": ["dann"]},
            "'dann' for 'segment.nuclei.extra_channels'",
            "one of the channels",
        ),
        ({"weights": "denoise"}, "'denoise' of kind 'denoise'", "'segmentation'"),
        ({"weights": "{both}"}, "1 channel(s)", "2 channel(s), which engine 'cellpipe' sees"),
    ],
)
def test_channels_that_the_network_does_not_see_stop_before_the_first_job(
    tmp_path, nuclei, seen, wanted
):
    both = threshold_network(tmp_path / "both.safetensors", (1.0, 1.0), 0.4)
    nuclei = {k: v.format(both=both) if isinstance(v, str) else v for k, v in nuclei.items()}
    with pytest.raises(BadConfig) as fault:
        sheets.networks(settled({"nuclei": {"channel": "dna", **nuclei}}))
    assert seen in fault.value.seen
    assert wanted in fault.value.wanted


@pytest.mark.parametrize(
    ("segment", "seen"),
    [
        ({"cells": {"method": "network", "channel": "reporter"}}, "no 'segment.cells.weights'"),
        ({"cells": {"method": "network"}}, "no 'segment.cells.channel'"),
        ({"objects": "cells", "cells": {"method": "ring"}}, "cells for 'segment.objects' and"),
        (
            {"cells": {"method": "network", "channel": "reporter", "weights": "{both}"}},
            "1 channel(s) for 'segment.cells'",
        ),
        (
            {"cells": {"method": "network", "channel": "reporter", "weights": "denoise"}},
            "of kind 'denoise'",
        ),
    ],
)
def test_cells_by_a_network_are_checked_before_the_first_job(tmp_path, segment, seen):
    both = threshold_network(tmp_path / "both.safetensors", (1.0, 1.0), 0.4)
    cells = {k: v.format(both=both) for k, v in segment.get("cells", {}).items()}
    given = {"nuclei": {"channel": "dna"}, **segment, "cells": cells}
    with pytest.raises(BadConfig) as fault:
        settled(given)
    assert seen in fault.value.seen


def test_cells_alone_are_the_first_layer_and_options_of_rings_are_not_in_the_fingerprint():
    config = settled({"objects": "cells", "nuclei": {"channel": "phase"}})
    assert sheets.label_names(config) == ["cells"]
    assert config["segment"]["cells"]["method"] == "off"


def test_an_engine_refuses_channels_that_it_does_not_see():
    engine = load_engine("classical")
    with pytest.raises(BadImage, match="1 channel"):
        segment_nuclei(np.stack([DNA, REPORTER]), 1.0, engine=engine)
