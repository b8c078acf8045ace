"""Makes `comic.onnx`, a small graph from picture to picture: flat colours, dark lines along edges, twice the size.

    pip install onnx numpy
    python examples/onnx/make_graph.py

All weights are written down here; nothing was trained. Pictures are RGB from 0 to 1.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Gray levels of each channel, and how steep the steps between them are.
LEVELS = 4
STEEPNESS = 40.0

binomial = np.array([1, 4, 6, 4, 1], np.float32) / 16
slope = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8
steps = (np.arange(LEVELS, dtype=np.float32) + 0.5) / LEVELS

tensors = {
    "blur": np.tile(np.outer(binomial, binomial), (3, 1, 1, 1)),
    "factors": np.array([1, 1, 2, 2], np.float32),
    # Each channel beside a threshold for each step, and the mean of what is above these.
    "spread": np.full((3 * LEVELS, 1, 1, 1), STEEPNESS),
    "thresholds": np.tile(-STEEPNESS * steps, 3),
    "mean": np.full((3, LEVELS, 1, 1), 1 / LEVELS),
    "luma": np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1),
    "slopes": np.stack([slope, slope.T]).reshape(2, 1, 3, 3),
    # No line below a slope of 0.04; black from 0.16 on.
    "ink": np.full((1, 2, 1, 1), -8.0),
    "paper": np.array([1.3]),
    "zero": np.array(0),
    "one": np.array(1),
}

nodes = [
    helper.make_node("Conv", ["picture", "blur"], ["smooth"], group=3, pads=[2, 2, 2, 2]),
    helper.make_node("Resize", ["smooth", "", "factors"], ["large"], mode="linear"),
    helper.make_node("Conv", ["large", "spread", "thresholds"], ["distances"], group=3),
    helper.make_node("Sigmoid", ["distances"], ["above"]),
    helper.make_node("Conv", ["above", "mean"], ["flat"], group=3),
    helper.make_node("Conv", ["large", "luma"], ["gray"]),
    helper.make_node("Conv", ["gray", "slopes"], ["along"], pads=[1, 1, 1, 1]),
    helper.make_node("Abs", ["along"], ["steep"]),
    helper.make_node("Conv", ["steep", "ink", "paper"], ["lines"]),
    helper.make_node("Clip", ["lines", "zero", "one"], ["drawn"]),
    helper.make_node("Mul", ["flat", "drawn"], ["comic"]),
]

value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
graph = helper.make_graph(
    nodes,
    "comic",
    [value("picture", ["batch", 3, "height", "width"])],
    [value("comic", ["batch", 3, "2 height", "2 width"])],
    [numpy_helper.from_array(tensor.astype(np.float32), name) for name, tensor in tensors.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
path = Path(__file__).parent / "comic.onnx"
onnx.save(model, path)
print(path.stat().st_size, "bytes in", path)
