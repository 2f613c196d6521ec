"""Frames of several blocks: the same objects and figures as of one, and nothing held whole.

one block       ──►  segment_frame  ──►  labels    ──►  measure_frame  ──►  rows
several blocks  ──►  segment_frame  ──►  the same  ──►  measure_frame  ──►  the same
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from drawn_plate import inspected, laid_out
from made_networks import threshold_network
from on_disk import OnDisk, in_blocks
from scipy.ndimage import gaussian_filter
from test_channels import settled

from cellpipe.correct.illumination import background_levels
from cellpipe.errors import BadImage
from cellpipe.image.axes import Image
from cellpipe.image.quality import image_quality
from cellpipe.image.rescale import nearest, resize
from cellpipe.image.scratch import Scratch
from cellpipe.image.tiles import every_nth
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.columns import STANDARD
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.restore.denoise import denoise
from cellpipe.run.frames import measure, segment
from cellpipe.run.frames.project import project_frame
from cellpipe.segment.cells import cells_of_nuclei, grow_cells
from cellpipe.segment.nuclei import filter_labels

SHAPE = (700, 900)
RATIOS = {"translocation": {"numerator": "gfp_mean", "denominator": "cytoplasm_gfp_mean"}}


def drawn(shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (2, Y, X) uint16 of nuclei and of cytoplasm, and labels (Y, X) of the nuclei."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint32)
    rng = np.random.default_rng(4)
    bodies = np.zeros(shape, bool)
    for cy in range(6, shape[0], 44):  # the first ones are cut by the border
        for cx in range(6, shape[1], 44):
            near = np.s_[max(cy - 30, 0) : cy + 30, max(cx - 30, 0) : cx + 30]
            dy, dx = rng.uniform(-5, 5, 2)
            distance = np.hypot(y[near] - cy - dy, x[near] - cx - dx)
            labels[near][distance < rng.uniform(7, 10)] = labels.max() + 1
            bodies[near] |= distance < 18
    light = [900 * gaussian_filter((labels > 0).astype(float), 1), 400 * bodies]
    noise = 12 * rng.standard_normal((2, *shape))
    return np.clip(200 + np.stack(light) + noise, 0, None).astype(np.uint16), labels


PIXELS, NUCLEI = drawn()


def same(truth: np.ndarray, found: np.ndarray, iou: float = 0.99) -> bool:
    return average_precision(truth, found, [iou])[0] >= 0.999


@pytest.mark.parametrize(
    "cells",
    [
        {"method": "ring"},
        {"method": "grow", "channel": "reporter", "max_distance_um": 10},
        {
            "method": "network",
            "channel": "reporter",
            "extra_channels": ["dna"],
            "weights": "{both}",
        },
        {"method": "off"},
    ],
    ids=["ring", "grow", "network", "off"],
)
def test_a_frame_of_several_blocks_has_the_labels_of_one(tmp_path, cells):
    one = threshold_network(tmp_path / "one.safetensors", (1.0,), 0.4)
    both = threshold_network(tmp_path / "both.safetensors", (1.0, 1.0), 0.4)
    cells = {k: v.format(both=both) if isinstance(v, str) else v for k, v in cells.items()}
    nuclei = {"channel": "dna", "weights": str(one), "tile_px": 512, "keep_border": False}
    options = settled({"nuclei": nuclei, "cells": cells})["segment"]
    networks = segment.load_networks(options, "cpu", 1)
    read = segment.segmented_channels(options)
    pixels = PIXELS[[("dna", "reporter").index(name) for name in read]]
    whole, figures = segment.segment_frame(pixels, 1.0, options, networks)
    assert segment.whole_up_to_mpx(options, networks) == 32
    frame = in_blocks(pixels, tmp_path)
    large, by_block = segment.segment_frame(frame, 1.0, options, networks)
    assert list(large) == list(whole)
    for name, labels in whole.items():
        assert type(labels) is np.ndarray
        assert type(large[name]) is Image, "nothing was held whole"
        assert same(labels, large[name][:, :]), name
        assert large[name][:, :].max() == labels.max()
    assert by_block["n_nuclei"] == figures["n_nuclei"] > 200
    assert by_block["nuclei_probability"] == pytest.approx(figures["nuclei_probability"], abs=1e-3)
    assert by_block["flag"] == figures["flag"] == ""
    assert not list(tmp_path.glob("tmp*")), "what lies between is gone, and never had a name"


def test_cells_grow_and_ring_as_in_the_whole_frame(tmp_path):
    for method in ("ring", "grow"):
        options = {"pixel_size_um": 0.5, "method": method, "max_distance_um": 6.0}
        whole = grow_cells(NUCLEI, PIXELS[1], **options)
        nuclei, cytoplasm = in_blocks(NUCLEI, tmp_path), in_blocks(PIXELS[1], tmp_path)
        found = grow_cells(nuclei, cytoplasm, **options)
        assert (whole == np.asarray(found)).mean() > 0.9999, method
        assert nuclei.pixels.largest < 400**2


def test_cells_of_a_network_are_shared_across_blocks(monkeypatch):
    from cellpipe.image.tiles import blocks
    from cellpipe.segment import cells as module

    coarse = np.where(NUCLEI > 0, 1, 0).astype(np.uint32)
    coarse[:] = 1 + np.arange(SHAPE[0])[:, None] // 230 * 4 + np.arange(SHAPE[1]) // 230
    whole = cells_of_nuclei(NUCLEI, coarse)
    monkeypatch.setattr(module, "blocks", lambda shape: blocks(shape, 128))
    assert (cells_of_nuclei(OnDisk(NUCLEI), OnDisk(coarse)) == whole).all()
    assert set(np.unique(whole[NUCLEI > 0])) == set(np.unique(NUCLEI)) - {0}


@pytest.mark.parametrize("with_cells", [True, False])
@pytest.mark.parametrize("subtract", [True, False])
def test_rows_of_regions_are_those_of_the_whole_frame(tmp_path, with_cells, subtract):
    cells = grow_cells(NUCLEI, pixel_size_um=0.5, max_distance_um=4.0) if with_cells else None
    options = {**STANDARD, "subtract_background": subtract, "ratios": RATIOS if with_cells else {}}
    whole = measure.measure_frame(NUCLEI, cells, PIXELS, ["dna", "gfp"], 0.5, options)
    nuclei, pixels = in_blocks(NUCLEI, tmp_path), in_blocks(PIXELS, tmp_path)
    around = None if cells is None else in_blocks(cells, tmp_path)
    rows = measure.measure_frame(nuclei, around, pixels, ["dna", "gfp"], 0.5, options)
    pd.testing.assert_frame_equal(rows, whole, rtol=1e-5)
    assert rows["touches_border"].sum() == whole["touches_border"].sum() > 0
    assert (whole["object"] == "nuclei").all()
    nothing = in_blocks(np.zeros_like(NUCLEI), tmp_path)
    empty = measure_cells(nothing, around and nothing, pixels, ["dna", "gfp"], 0.5)
    assert len(empty) == 0
    shares = [name for name in whole if name.endswith("_saturated")]
    assert set(empty) == set(whole) - {"object", *shares, *options["ratios"]}
    assert list(empty.dtypes) == list(whole[list(empty)].dtypes)


def test_background_of_regions_is_that_of_the_frame(tmp_path):
    levels = background_levels(in_blocks(PIXELS, tmp_path), in_blocks(NUCLEI, tmp_path))
    assert (levels == background_levels(PIXELS, NUCLEI)).all()
    full = np.ones_like(NUCLEI)
    crowded = background_levels(in_blocks(PIXELS, tmp_path), in_blocks(full, tmp_path))
    assert crowded == pytest.approx(np.percentile(PIXELS, 1, axis=(1, 2)))


@pytest.mark.parametrize("method", ["gaussian", "median", "learned"])
def test_denoising_by_block_does_not_show(tmp_path, method):
    plane = PIXELS[0][:400, :500]
    found = denoise(in_blocks(plane, tmp_path, 448), method=method)
    assert type(found) is Image
    assert np.abs(found[:, :] - denoise(plane, method=method)).max() < 0.5


@pytest.mark.parametrize("step", [1, 2, 3, 7, 300])
def test_a_sample_by_blocks_is_the_sample(step):
    image = OnDisk(PIXELS[0])
    assert (every_nth(image, step, 256) == PIXELS[0][::step, ::step]).all()
    assert image.largest <= max(256, step) ** 2


def test_a_disk_that_fills_up_within_a_row_is_an_error(tmp_path, monkeypatch):
    """A write that is cut short says so by its count alone."""
    plane, write = Scratch((4, 50), np.uint16, tmp_path), os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda f, rows, at: write(f, [rows[0][:20]], at))
    with pytest.raises(OSError, match="No space left"):
        plane[1:3, :] = 7


def test_a_plane_on_disk_is_read_and_written_like_an_array(tmp_path):
    rng = np.random.default_rng(2)
    plane, truth = Scratch((2, 60, 70), np.float32, tmp_path), np.zeros((2, 60, 70), np.float32)
    for _ in range(40):
        place = tuple(slice(*sorted(rng.integers(0, size + 1, 2).tolist())) for size in truth.shape)
        truth[place] = plane[place] = rng.random(truth[place].shape)
        seen = plane[place[:2]]
        assert seen.dtype == np.float32
        assert (seen == truth[place[:2]]).all()
    assert (plane[:] == truth).all()
    assert truth.any()
    plane[1:2, :9, 5:] = 3
    assert (plane[:, :9, 5:][1] == 3).all()
    with pytest.raises(ValueError, match="step"):
        plane[:, ::2]


THREADS = """
import ctypes, re, sys, threading
from cellpipe.networks.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.fopen.restype, libc.fclose.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]

def heaps():
    file = libc.fopen(sys.argv[1].encode(), b"w")
    libc.malloc_info(0, file)
    libc.fclose(file)
    return len(re.findall("<heap ", open(sys.argv[1]).read()))

def ask():
    held = bytearray(100_000)
    together.wait()

if sys.argv[2] == "keep":
    keep_freed_memory()
before, together = heaps(), threading.Barrier(4)
threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads:
    thread.start()
together.wait()
print(heaps() - before)
"""


TILES = """
import re, sys
from cellpipe.networks.memory import giving_back, keep_freed_memory

def resident_mb():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024

keep_freed_memory()
before, tiles = resident_mb(), range(3)
for tile in giving_back(tiles) if sys.argv[1] == "given back" else tiles:
    maps = [bytearray(b"x" * (1 << 20)) for _ in range(200)]
    del maps
print(resident_mb() - before)
"""

on_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library than glibc"
)


@on_glibc
def test_what_tiles_have_freed_is_given_back_after_them():
    def left_mb(how: str) -> int:
        command = [sys.executable, "-c", TILES, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert left_mb("given back") < 50
    assert left_mb("kept") > 150, "otherwise this test shows nothing"


@on_glibc
def test_threads_share_the_heap_that_keeps_what_was_freed(tmp_path):
    def heaps_of_threads(how: str) -> int:
        command = [sys.executable, "-c", THREADS, str(tmp_path / "heaps.xml"), how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert heaps_of_threads("keep") == 0
    assert heaps_of_threads("as it is") > 0, "otherwise this test shows nothing"


def test_rescaled_regions_are_those_of_the_whole():
    for shape in ((300, 411), (901, 1203)):
        whole, place = resize(PIXELS[0], shape), (slice(100, 205), slice(33, 290))
        assert (resize(OnDisk(PIXELS[0]), shape, place) == whole[place]).all()
        assert whole.mean() == pytest.approx(PIXELS[0].mean(), rel=0.01)
        labels = nearest(NUCLEI, shape)
        assert (nearest(OnDisk(NUCLEI), shape, place) == labels[place]).all()


def test_an_image_at_another_scale_goes_by_block_too(tmp_path):
    network = load_network("nuclei")
    large = np.kron(PIXELS[:1, :300, :300], np.ones((8, 8), np.uint16))[:, :900, :1100]
    whole, of_whole, *_ = find_objects(large[0], network, diameter_px=140, tile_px=512)
    image = in_blocks(large, tmp_path)
    labels, by_block, *_ = find_objects(image, network, diameter_px=140, tile_px=512)
    assert np.asarray(whole).max() > 3
    assert same(np.asarray(whole), labels[:, :])
    assert by_block == pytest.approx(of_whole, abs=1e-3)


def test_quality_of_blocks_is_near_that_of_the_frame(tmp_path):
    whole, found = image_quality(PIXELS[0]), image_quality(in_blocks(PIXELS[0], tmp_path))
    for name in ("focus", "background", "noise_sigma", "signal_to_noise"):
        assert found[name] == pytest.approx(whole[name], rel=0.1), name
    assert found["background"] == whole["background"], "the same sample"
    assert image_quality(in_blocks(np.full(SHAPE, 255, np.uint8), tmp_path))["flag"] == "flat"
    again = image_quality(in_blocks(PIXELS[0].copy(), tmp_path))
    other = image_quality(in_blocks(PIXELS[0] + 1, tmp_path))
    assert again["digest"] == found["digest"] != other["digest"]


def test_a_plate_is_read_by_slices_and_labels_written_by_chunks(tmp_path):
    plate = laid_out(
        tmp_path, inspected({"B03": [(2, 2, 1, *SHAPE)]}), labels=["nuclei"], chunk_px=256
    )
    for c in range(2):
        plate.write_plane("B03", 1, 1, c, 0, PIXELS[c])
    frame = project_frame(plate, "B03", 1, 1, ["gfp", "dna"])
    assert frame.shape == (2, *SHAPE)
    assert (frame[0:2, 100:300, 250:] == PIXELS[::-1, 100:300, 250:]).all()
    assert (frame[1:2, ::7, ::5] == PIXELS[:1, ::7, ::5]).all()
    with pytest.raises(BadImage, match="missing"):
        project_frame(plate, "B03", 1, 0)
    plate.write_labels("B03", 1, 0, "nuclei", NUCLEI)
    plate.write_labels("B03", 1, 1, "nuclei", OnDisk(NUCLEI))
    assert plate.has_frame("B03", 1, 1, "nuclei")
    for level in range(len(plate.fields["B03", 1].levels)):
        read = [plate.read_labels("B03", 1, t, "nuclei", level) for t in (0, 1)]
        assert (read[0] == read[1]).all(), level
    opened = plate.flat_labels("B03", 1, 1, "nuclei")
    assert (opened[10:600, 300:310] == NUCLEI[10:600, 300:310]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_is_refused_in_any_block(tmp_path, value):
    one = threshold_network(tmp_path / "one.safetensors", (1.0,), 0.4)
    options = settled({"nuclei": {"channel": "dna", "weights": str(one)}})["segment"]
    networks = segment.load_networks(options, "cpu", 1)
    pixels = PIXELS[:1].astype(np.float32)
    pixels[0, -1, -1] = value
    with pytest.raises(BadImage, match="NaN or infinite"):
        segment.segment_frame(in_blocks(pixels, tmp_path), 1.0, options, networks)
    flat = in_blocks(np.full((1, *SHAPE), 7, np.uint16), tmp_path)
    layers, figures = segment.segment_frame(flat, 1.0, options, networks)
    assert figures["flag"] == "flat"
    assert not layers["nuclei"][:, :].any()
    assert not layers["cells"][:, :].any()


def test_filtering_by_block_is_filtering(tmp_path):
    one = threshold_network(tmp_path / "one.safetensors", (1.0,), 0.4)
    nuclei = {"channel": "dna", "weights": str(one), "tile_px": 512}
    limits = {"min_area_um2": 200.0, "max_area_um2": 280.0, "keep_border": False}
    options = settled({"nuclei": {**nuclei, **limits}})["segment"]
    networks = segment.load_networks(options, "cpu", 1)
    everything = networks["nuclei"](PIXELS[0], 1.0)[0]
    kept, _ = filter_labels(everything, min_area_px=200, max_area_px=280, keep_border=False)
    layers, _ = segment.segment_frame(in_blocks(PIXELS[:1], tmp_path), 1.0, options, networks)
    assert 0 < kept.max() < everything.max()
    assert same(kept, layers["nuclei"][:, :])
