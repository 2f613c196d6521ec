"""Speed of the network and of what makes objects of its maps, on one thread, beside the floor.

python studies/nuclei/network_speed.py [--onnx]

The floor is the product of two large matrices (GEMM), measured between the other rounds of the same
run; FLOPs of the network are counted by torch. Runtimes that could stand in its place are measured
where they can be imported: TorchScript as torch optimises it, and with `--onnx` ONNX Runtime and
OpenVINO (onnx, onnxruntime, openvino installed beside cellpipe; they are not part of its
environment). CPU seconds, median of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from cellpipe.image.normalise import normalise
from cellpipe.networks.calibration import object_features
from cellpipe.networks.instances import labels_from_maps
from cellpipe.networks.load import load_network
from cellpipe.networks.predict import image_maps
from cellpipe.simulate import PlateDesign, simulate_field

SHAPE = (512, 704)
MATRIX = 2048
ROUNDS = 15


def runtimes(network: torch.nn.Module, image: torch.Tensor, onnx: bool) -> dict[str, Callable]:
    """Ways to run the network on an image, by name."""
    ways: dict[str, Callable] = {"torch, float32": lambda: network(image)}

    def short() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network(image)

    ways["torch, bfloat16"] = short
    traced = torch.jit.freeze(torch.jit.trace(network, image))
    optimised = torch.jit.optimize_for_inference(traced)
    ways["TorchScript, optimised"] = lambda: optimised(image)
    return ways | (_onnx_runtimes(network, image) if onnx else {})


def _onnx_runtimes(network: torch.nn.Module, image: torch.Tensor) -> dict[str, Callable]:
    import onnxruntime
    import openvino

    plain = network.to(memory_format=torch.contiguous_format)
    path = Path(tempfile.mkdtemp()) / "network.onnx"
    torch.onnx.export(plain, (image.contiguous(),), path, dynamo=False)
    network.to(memory_format=torch.channels_last)
    pixels = image.contiguous().numpy()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (name,) = (given.name for given in session.get_inputs())
    ways: dict[str, Callable] = {"ONNX Runtime": lambda: session.run(None, {name: pixels})}
    for hint, kind in (("f32", "float32"), ("bf16", "bfloat16")):
        chosen = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1}
        model = openvino.Core().compile_model(path, "CPU", chosen)
        request = model.create_infer_request()
        ways[f"OpenVINO, {kind}"] = lambda request=request: request.infer([pixels])
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network("nuclei").module
    pixels = normalise(simulate_field(PlateDesign(shape=SHAPE), "B02", 1).pixels[0])
    image = torch.from_numpy(pixels)[None, None].to(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(image)
    flops = counter.get_total_flops()
    maps = image_maps(network, pixels)
    labels = labels_from_maps(maps)
    one, other = torch.rand(2, MATRIX, MATRIX)
    short_one, short_other = one.bfloat16(), other.bfloat16()
    ways = runtimes(network, image, options.onnx)
    work: dict[str, Callable] = {
        "GEMM, float32": lambda: one @ other,
        "GEMM, bfloat16": lambda: short_one @ short_other,
        **ways,
        "objects of maps": lambda: labels_from_maps(maps),
        "features of objects": lambda: object_features(labels, maps, pixels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    with torch.inference_mode():
        for way in work.values():
            way()
        for _ in range(ROUNDS):
            for name, way in work.items():
                started = time.process_time()
                way()
                seconds[name].append(time.process_time() - started)
    middle = {name: float(np.median(times)) for name, times in seconds.items()}
    floor = {
        kind: 2 * MATRIX**3 / middle[f"GEMM, {kind}"] / 1e9 for kind in ("float32", "bfloat16")
    }
    rows = []
    for name, time_s in middle.items():
        if name in ways:
            rate = flops / time_s / 1e9
            share = rate / floor["bfloat16" if "bfloat16" in name else "float32"]
        else:
            rate, share = 2 * MATRIX**3 / time_s / 1e9 if "GEMM" in name else np.nan, np.nan
        speed = np.nan if "GEMM" in name else pixels.size / 1e6 / time_s
        rows.append((name, speed, rate, share))
    columns = ["what", "Mpx per CPU-second", "GFLOP/s", "share of GEMM"]
    print(pd.DataFrame(rows, columns=columns).round(2).to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
