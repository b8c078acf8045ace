"""Writes tests of the Python package `onnx` as folders that `examples/onnx_node_tests.rs` runs.

    pip install onnx numpy
    python tests/onnx/node_tests.py FOLDER [SET]
    cargo run --release --features import,onnx --example onnx_node_tests -- FOLDER

`SET` is `node` (those that the package generates, one for each form of an operator), or `pytorch-converted`,
`pytorch-operator` or `simple`, whose models the package holds. Of each test with f32 outputs a folder with `model.onnx`,
and `tensors.npz` with `input_0`, … and `output_0`, …. What networks hold in their file becomes an initialiser: whole
numbers and truth values, and of the operators in `HELD` everything after the first input. Of the generated tests, what
is computed from whole numbers alone, tests of training and those of other domains are left out. Of the other sets none
is: their inputs and outputs stay what they are, and what is no f32 is named instead.
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
    # The files of numbers that are read here hold no others.
    if not all(np.isfinite(array).all() for array in [*inputs, *outputs] if is_float(array)):
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


def as_f32(array):
    """An input or output as the tests read it: f32, whatever the model says of its precision."""
    return array.astype(np.float32) if array.dtype in (np.float16, np.float64) else array


def write_stored(folder, case):
    """Writes one test of those whose models are stored; what keeps it from being run, if anything does."""
    model = onnx.load(case / "model.onnx")
    tensors = {}
    for path in sorted((case / "test_data_set_0").glob("*.pb")):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
            array = as_f32(numpy_helper.to_array(tensor))
        except Exception:
            return f"{path.stem} is no tensor of numbers"
        if array.dtype != np.float32 and path.stem.startswith("output"):
            return f"{path.stem} is of the type {array.dtype}"
        if array.dtype == np.float32 and not np.isfinite(array).all():
            return f"{path.stem} has numbers that are not finite in f32"
        tensors[path.stem] = array
    held = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in held]
    left = []
    for index, value in enumerate(inputs):
        array = tensors.pop(f"input_{index}")
        if array.dtype == np.float32:
            left.append(array)
        else:
            # A shape, say.
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
    if not left:
        return f"it has no input of real numbers, but of {array.dtype}"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    tensors |= {f"input_{index}": array for index, array in enumerate(left)}
    np.savez(folder / "tensors.npz", **tensors)
    return None


def main():
    target, kind = Path(sys.argv[1]), (sys.argv[2:] or ["node"])[0]
    if kind == "node":
        cases = collect_testcases(None)
        written = sum(write(target / case.name, case) for case in cases)
    else:
        source = Path(onnx.__file__).parent / "backend/test/data" / kind
        cases = sorted(path for path in source.iterdir() if (path / "model.onnx").is_file())
        reasons = {case.name: write_stored(target / case.name, case) for case in cases}
        for name, reason in reasons.items():
            if reason:
                print(f"not written  {name}: {reason}")
        written = sum(reason is None for reason in reasons.values())
    print(f"{written} of {len(cases)} tests in {target}")


main()
