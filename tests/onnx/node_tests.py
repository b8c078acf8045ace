"""Writes the node tests of the Python package `onnx` as folders that `examples/onnx_node_tests.rs` runs.

    pip install onnx numpy
    python tests/onnx/node_tests.py FOLDER
    cargo run --release --features import,onnx --example onnx_node_tests -- FOLDER

Of each test with f32 outputs a folder with `model.onnx`, and `tensors.npz` with `input_0`, … and `output_0`, …. What
networks hold in their file becomes an initialiser: whole numbers and truth values, and of the operators in `HELD` everything after the
first input. What is computed from whole numbers alone, tests of training and those of other domains are left out.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

# Operators whose inputs after the first are parameters or settings.
HELD = {
    "BatchNormalization", "Clip", "Conv", "ConvTranspose", "GroupNormalization", "InstanceNormalization",
    "LayerNormalization", "PRelu", "Pad", "RMSNormalization", "Resize", "Upsample",
}

# The oldest and the newest opset that is read.
OLDEST, OPSET = 9, 22


def is_float(array):
    return isinstance(array, np.ndarray) and array.dtype == np.float32


def write(folder, case):
    """Writes one test, if it is one of f32."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    if not case.data_sets or any(o.domain not in ("", "ai.onnx") for o in model.opset_import):
        return False
    inputs, outputs = case.data_sets[0]
    if len(inputs) != len(graph.input) or not all(is_float(output) for output in outputs):
        return False
    if not all(isinstance(value, (np.ndarray, np.generic)) for value in inputs):
        return False
    # Nothing is computed of nothing.
    if not all(np.size(array) for array in [*inputs, *outputs]):
        return False
    if not all(i.type.HasField("tensor_type") for i in graph.input):
        return False
    if min(o.version for o in model.opset_import) < OLDEST:
        return False
    held = {name for node in graph.node if node.op_type in HELD for name in node.input[1:]}
    values, left = dict(zip((i.name for i in graph.input), map(np.asarray, inputs))), []
    for value in list(graph.input):
        array = values[value.name]
        if is_float(array) and value.name not in held:
            left.append(array)
            continue
        if array.dtype.kind not in "biuf":
            return False
        graph.initializer.append(numpy_helper.from_array(array, value.name))
        graph.input.remove(value)
    if not left:
        return False
    for imported in model.opset_import:
        # Tests of operators that did not change since are the same.
        imported.version = min(imported.version, OPSET)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    tensors = {f"input_{index}": array for index, array in enumerate(left)}
    tensors |= {f"output_{index}": np.asarray(array) for index, array in enumerate(outputs)}
    np.savez(folder / "tensors.npz", **tensors)
    return True


def main():
    target = Path(sys.argv[1])
    written = sum(write(target / case.name, case) for case in collect_testcases(None))
    print(f"{written} tests in {target}")


main()
