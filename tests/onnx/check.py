"""Compares what onnxruntime computes from exported networks with what vultus computes.

    pip install onnx onnxruntime numpy safetensors
    cargo test --test onnx          # writes the networks, inputs and outputs into target/tmp/onnx
    python tests/onnx/check.py      # --write also lists their checksums in tests/onnx/verified.sha256

Every model must pass the checker of the package onnx with inference of all shapes, and every output must be within
1e-4 of that of the CPU backend.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-4
HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "target/tmp/onnx"
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def check(path, example):
    """The largest difference of any output."""
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    found = session.run(None, {taken.name: example["input"].astype(TYPES[taken.type])})
    wanted = [example[f"output.{i}"] for i in range(len(example) - 1)]
    assert len(found) == len(wanted), f"{len(found)} outputs instead of {len(wanted)}"
    for output, a, b in zip(session.get_outputs(), found, wanted):
        b = b.reshape(a.shape)
        assert output.shape == ["N", *a.shape[1:]], f"{output.name} is said to be {output.shape}"
        assert np.isfinite(a).all() and np.ptp(b) > 0, f"{output.name} says nothing"
    return max(np.abs(a - b.reshape(a.shape)).max() for a, b in zip(found, wanted))


examples = sorted(FOLDER.glob("*.safetensors"))
assert examples, f"{FOLDER} is empty: run `cargo test --test onnx` first"
verified, failed = [], False
for file in examples:
    path = file.with_suffix(".onnx")
    distance = check(path, load_file(file))
    failed |= not distance <= TOLERANCE
    print(f"{path.stem:32} {path.stat().st_size:>10} bytes   off by {distance:.1e}")
    verified.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
if failed:
    sys.exit(f"onnxruntime {onnxruntime.__version__} computes something else")
print(f"onnxruntime {onnxruntime.__version__} computes the same from all {len(verified)}")
if "--write" in sys.argv:
    (HERE / "verified.sha256").write_text("".join(verified))
