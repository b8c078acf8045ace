"""Makes the small graphs that `tests/onnx_reading.rs` reads, with what onnxruntime computes from them.

    pip install onnx onnxruntime numpy safetensors
    python tests/onnx/make_graphs.py

writes `tests/golden/onnx/NAME.onnx` and `NAME.safetensors` with `input.0`, … and `output.0`, …. Dimensions called `N` have the
size 2 in the inputs, those called `H` 6.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent.parent / "golden" / "onnx"
SIZES = {"N": 2, "H": 6}
random = np.random.default_rng(7)


def numbers(*shape):
    return random.standard_normal(shape).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model(name, nodes, inputs, outputs, tensors, opset=17):
    """A model; inputs and outputs are names with their shapes."""
    info = lambda values: [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values.items()]
    tensors = [t if isinstance(t, TensorProto) else numpy_helper.from_array(t, n) for n, t in tensors.items()]
    graph = helper.make_graph(nodes, name, info(inputs), info(outputs), tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def keep(name, nodes, inputs, outputs, tensors, opset=17):
    made = model(name, nodes, inputs, outputs, tensors, opset)
    path = FOLDER / f"{name}.onnx"
    onnx.save(made, path)
    session = onnxruntime.InferenceSession(str(path))
    feeds = {n: numbers(*(SIZES.get(d, d) for d in s)) for n, s in inputs.items()}
    found = session.run(list(outputs), feeds)
    examples = {f"input.{i}": feeds[n] for i, n in enumerate(inputs)}
    examples |= {f"output.{i}": np.ascontiguousarray(value) for i, value in enumerate(found)}
    save_file(examples, FOLDER / f"{name}.safetensors")


def convolutions():
    nodes = [
        node("Conv", "x w1", "groups", group=2, pads=[1, 0, 2, 1], strides=[2, 1]),
        node("Add", "groups b1", "biased"),
        node("PRelu", "biased slopes", "prelu"),
        node("Conv", "prelu w2 b2", "same", auto_pad="SAME_LOWER", strides=[1, 2]),
        node("Conv", "same w3", "dilated", dilations=[2, 1], pads=[2, 0, 2, 0]),
        node("BatchNormalization", "dilated scale shift mean var", "normal"),
        node("HardSwish", "normal", "y"),
    ]
    tensors = {
        "w1": numbers(6, 2, 3, 2), "b1": numbers(6, 1, 1), "slopes": numbers(6, 1, 1), "w2": numbers(5, 6, 2, 3),
        "b2": numbers(5), "w3": numbers(3, 5, 3, 1), "scale": numbers(3), "shift": numbers(3), "mean": numbers(3),
        "var": np.abs(numbers(3)) + 0.5,
    }
    keep("convolutions", nodes, {"x": ["N", 4, 7, 8]}, {"y": None}, tensors)
    lines = [node("Conv", "x w b", "c", pads=[1, 2], strides=[2]), node("LeakyRelu", "c", "y", alpha=0.2)]
    keep("lines", lines, {"x": ["N", 3, 9]}, {"y": None}, {"w": numbers(4, 3, 3), "b": numbers(4)})


def pools():
    nodes = [
        node("MaxPool", "x", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        node("MaxPool", "x", "b", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 0, 0, 1]),
        node("AveragePool", "x", "c", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 0]),
        node("AveragePool", "x", "d", kernel_shape=[3, 3], pads=[1, 0, 2, 1], count_include_pad=1),
        node("AveragePool", "x", "e", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("GlobalAveragePool", "x", "f"),
        node("ReduceMean", "x", "g", axes=[-1], keepdims=0),
    ]
    keep("pools", nodes, {"x": ["N", 2, 6, 7]}, dict.fromkeys("abcdefg"), {})


def channels_last():
    nodes = [
        node("Transpose", "x", "planes", perm=[0, 3, 1, 2]),
        node("Conv", "planes w", "c", pads=[1, 1, 1, 1]),
        node("Transpose", "c", "pixels", perm=[0, 2, 3, 1]),
        node("Mul", "pixels scale", "scaled"),
        node("Softmax", "scaled", "y", axis=-1),
    ]
    keep("channels_last", nodes, {"x": [1, 5, 4, 3]}, {"y": None}, {"w": numbers(4, 3, 3, 3), "scale": numbers(4)})


def dense():
    nodes = [
        node("Gemm", "x w1 b1", "a", alpha=0.5, beta=2.0),
        node("Clip", "a", "clipped", min=-1.0, max=2.0),
        node("Gemm", "clipped w2 b2", "b", transB=1),
        node("Sigmoid", "b", "s"),
        node("MatMul", "s w3", "c"),
        node("Sub", "c k", "d"),
        node("Div", "d k", "e"),
        node("Softmax", "e", "y"),
    ]
    tensors = {"w1": numbers(5, 6), "b1": numbers(1, 6), "w2": numbers(4, 6), "b2": numbers(4), "w3": numbers(4, 3)}
    keep("dense", nodes, {"x": ["N", 5]}, {"y": None}, tensors | {"k": numbers(3) + 3}, opset=10)


def shapes():
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Gather", "shape two", "height"),
        node("Mul", "height two_more", "doubled"),
        node("Unsqueeze", "batch axis", "first"),
        node("Unsqueeze", "doubled axis", "second"),
        node("Concat", "first second open", "target", axis=0),
        node("Reshape", "x target", "rows"),
        node("ConstantOfShape", "one_size", "ones", value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])),
        node("Add", "rows ones", "more"),
        node("Flatten", "more", "flat"),
        node("Slice", "flat from to axis_one", "part"),
        node("Squeeze", "part3 axis_three", "y"),
        node("Unsqueeze", "part axis_three_of_four", "part3"),
    ]
    nodes[-1], nodes[-2] = nodes[-2], nodes[-1]
    tensors = {
        "zero": np.array(0, np.int64), "two": np.array(2, np.int64), "two_more": np.array(2, np.int64), "axis": whole(0),
        "open": whole(-1), "one_size": whole(1), "from": whole(3), "to": whole(-4), "axis_one": whole(1),
        "axis_three": whole(2), "axis_three_of_four": whole(2),
    }
    keep("shapes", nodes, {"x": ["N", 3, "H", 4]}, {"y": None}, tensors)


def older_softmax():
    nodes = [node("Softmax", "x", "a"), node("Softmax", "x", "b", axis=2), node("Dropout", "a", "c")]
    keep("older_softmax", nodes, {"x": ["N", 2, 3, 4]}, {"c": None, "b": None}, {}, opset=11)


def sizes():
    half = {"coordinate_transformation_mode": "half_pixel"}
    nodes = [
        node("Resize", "x none double", "a", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Resize", "x none double", "b", mode="nearest", **half),
        node("Resize", "x none none larger", "c", mode="linear", **half),
        node("Resize", "x none none larger", "d", mode="linear", coordinate_transformation_mode="align_corners"),
        node("Pad", "x borders value", "e"),
        node("DepthToSpace", "x", "f", blocksize=2),
        # As tf2onnx writes TensorFlow's nearest neighbours.
        node("Resize", "x none double", "g", mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn",
             nearest_mode="floor"),
    ]
    for made in nodes:
        made.input[:] = ["" if name == "none" else name for name in made.input]
    tensors = {
        "double": np.array([1, 1, 2, 3], np.float32), "larger": whole(2, 4, 7, 5),
        "borders": whole(0, 1, 0, 2, 0, 0, 1, 1), "value": np.array(0.5, np.float32),
    }
    keep("sizes", nodes, {"x": [2, 4, 3, 5]}, dict.fromkeys("abcdefg"), tensors)


def two_inputs():
    nodes = [
        node("Sub", "a b", "difference"),
        node("MatMul", "difference c", "product"),
        node("Max", "product a2", "largest"),
        node("Sum", "largest a2 k", "sum"),
        node("Shape", "a", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Concat", "batch rest", "target", axis=0),
        node("Expand", "k3 target", "token"),
        node("Concat", "sum token", "y", axis=2),
        node("Identity", "b", "z"),
    ]
    inputs = {"a": ["N", 3, 4], "b": ["N", 1, 4], "c": ["N", 4, 5], "a2": ["N", 3, 5]}
    tensors = {"k": numbers(3, 1), "k3": numbers(1, 3, 2), "zero": whole(0), "rest": whole(3, 2)}
    keep("two_inputs", nodes, inputs, {"y": None, "z": None}, tensors)


def attention():
    nodes = [
        node("LayerNormalization", "x scale shift", "n"),
        node("MatMul", "n w", "qkv"),
        node("Split", "qkv", "q k v", axis=2),
        node("Transpose", "k", "kt", perm=[0, 2, 1]),
        node("MatMul", "q kt", "scores"),
        node("Div", "scores root", "scaled"),
        node("Softmax", "scaled", "shares", axis=-1),
        node("MatMul", "shares v", "mixed"),
        node("Add", "mixed x", "r"),
        node("Div", "r sqrt2", "d"),
        node("Erf", "d", "e"),
        node("Add", "e one", "p"),
        node("Mul", "r p", "g"),
        node("Mul", "g half", "gelu"),
        node("Tanh", "gelu", "t"),
        node("Gather", "t first", "y", axis=1),
    ]
    tensors = {
        "scale": numbers(6), "shift": numbers(6), "w": numbers(6, 18), "root": np.array(np.sqrt(6), np.float32),
        "sqrt2": np.array(np.sqrt(2), np.float32), "one": np.array(1, np.float32), "half": np.array(0.5, np.float32),
        "first": np.array(0, np.int64),
    }
    keep("attention", nodes, {"x": ["N", 5, 6]}, {"y": None}, tensors)


def without_batch():
    nodes = [
        node("Transpose", "x", "turned", perm=[2, 0, 1]),
        node("Softmax", "turned", "s", axis=0),
        node("ReduceMean", "s", "m", axes=[0, 1], keepdims=0),
        node("Add", "m k", "y"),
    ]
    keep("without_batch", nodes, {"x": [3, 4, 5]}, {"y": None}, {"k": numbers(2, 1)})


def precisions():
    """Numbers of other types; they are the same in f32."""
    plain = lambda: np.round(numbers(4) * 4) / 4
    bf16 = helper.make_tensor("bf16", TensorProto.BFLOAT16, [4], plain())
    nodes = [
        node("Cast", "f16", "a", to=TensorProto.FLOAT),
        node("Cast", "bf16", "b", to=TensorProto.FLOAT),
        node("Cast", "f64", "c", to=TensorProto.FLOAT),
        node("Mul", "x a", "xa"),
        node("Add", "xa b", "xab"),
        node("Add", "xab c", "xabc"),
        node("Add", "xabc list", "y"),
    ]
    tensors = {
        "f16": plain().astype(np.float16), "bf16": bf16, "f64": plain().astype(np.float64),
        "list": helper.make_tensor("list", TensorProto.FLOAT, [4], plain().tolist()),
    }
    keep("precisions", nodes, {"x": ["N", 4]}, {"y": None}, tensors)


def elsewhere():
    """Weights in a file of their own."""
    made = model("elsewhere", [node("Gemm", "x w b", "y", transB=1)], {"x": ["N", 8]}, {"y": None},
                 {"w": numbers(4, 8), "b": numbers(4)})
    path = FOLDER / "elsewhere.onnx"
    (FOLDER / "elsewhere.bin").unlink(missing_ok=True)
    onnx.save(made, path, save_as_external_data=True, location="elsewhere.bin", size_threshold=8)
    x = numbers(2, 8)
    y = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0]
    save_file({"input.0": x, "output.0": y}, FOLDER / "elsewhere.safetensors")


def functions():
    """Elementary functions, one after the other where their ranges allow it."""
    nodes = [node(op, "x", op.lower()) for op in ("Abs", "Sin", "Cos", "Tanh", "Erf", "Floor", "Ceil", "Round", "Sign",
                                                  "Softplus", "Softsign", "Exp")]
    nodes += [
        node("Sqrt", "abs", "sqrt"), node("Log", "softplus", "log"), node("Reciprocal", "exp", "reciprocal"),
        node("Elu", "x", "elu", alpha=1.5), node("Selu", "x", "selu"), node("Celu", "x", "celu", alpha=0.7),
        node("ThresholdedRelu", "x", "thresholded", alpha=0.3), node("Shrink", "x", "shrunk", lambd=0.4, bias=0.1),
        node("Pow", "abs half", "root"), node("Pow", "exp minus_two", "less"), node("Pow", "abs odd", "power"),
        node("Pow", "base x", "based"), node("Div", "x exp", "quotient"), node("Div", "one exp", "share"),
    ]
    names = [made.output[0] for made in nodes]
    tensors = {"half": np.array(0.5, np.float32), "minus_two": np.array(-2, np.float32), "odd": np.array(1.7, np.float32),
               "base": np.array([2, 3, 0.5], np.float32), "one": np.array(1, np.float32)}
    keep("functions", nodes, {"x": ["N", 2, 3]}, dict.fromkeys(names), tensors)


def windows():
    nodes = [
        node("MaxPool", "x", "a", kernel_shape=[1, 3], strides=[1, 2], pads=[0, 1, 0, 0]),
        node("MaxPool", "x", "b", kernel_shape=[2, 3], strides=[2, 4], dilations=[2, 2], pads=[1, 0, 1, 2]),
        node("GlobalMaxPool", "x", "c"),
        node("ConvTranspose", "x w", "d", strides=[2, 3], pads=[1, 0, 0, 2], output_padding=[1, 2], group=2),
        node("ConvTranspose", "x w bias", "e", auto_pad="SAME_LOWER", strides=[2, 2], group=2, dilations=[1, 2]),
        node("ConvTranspose", "x w", "f", pads=[3, 0, 0, 3], group=2, strides=[1, 1]),
        node("LRN", "x", "g", size=3, alpha=0.5, beta=0.6, bias=1.5),
    ]
    tensors = {"w": numbers(4, 3, 3, 2), "bias": numbers(6)}
    keep("windows", nodes, {"x": ["N", 4, 6, 7]}, dict.fromkeys("abcdefg"), tensors)


def reductions():
    nodes = [
        node("ReduceMax", "x", "a", axes=[1, 3], keepdims=0),
        node("ReduceMin", "x", "b", axes=[2, 3]),
        node("ReduceL1", "x", "c", axes=[-1], keepdims=0),
        node("ReduceL2", "x", "d", axes=[1]),
        node("ReduceLogSumExp", "x", "e", axes=[1, 2], keepdims=0),
        node("ReduceSumSquare", "x", "squares", axes=[3]),
        node("ReduceLogSum", "squares", "f", axes=[2]),
        node("LogSoftmax", "x", "g", axis=2),
        node("LpNormalization", "x", "h", axis=1, p=2),
    ]
    keep("reductions", nodes, {"x": ["N", 3, 4, 5]}, dict.fromkeys("abcdefgh"), {})


def norms():
    nodes = [
        node("InstanceNormalization", "x scale bias", "a", epsilon=1e-3),
        node("GroupNormalization", "x of_groups to_groups", "b", num_groups=2),
        node("Mish", "a", "c"),
    ]
    tensors = {"scale": numbers(4), "bias": numbers(4), "of_groups": numbers(2), "to_groups": numbers(2)}
    keep("norms", nodes, {"x": ["N", 4, 3, 5]}, dict.fromkeys("abc"), tensors, opset=18)


def parts():
    nodes = [
        node("Slice", "x from to axes steps", "a"),
        node("Pad", "x borders", "b", mode="reflect"),
        node("Pad", "x borders", "c", mode="edge"),
        node("Pad", "x less value", "d"),
        node("Where", "mask x lowest", "e"),
        node("Where", "rows k x", "f"),
        node("Softmax", "e", "g", axis=-1),
    ]
    tensors = {
        "from": whole(0, -1, 5), "to": whole(4, -100, 0), "axes": whole(1, 2, 3), "steps": whole(3, -1, -2),
        "borders": whole(0, 0, 2, 1, 0, 0, 1, 3), "less": whole(0, 1, -1, 2, 0, 0, 0, -2),
        "value": np.array(0.25, np.float32), "mask": np.tril(np.ones((5, 6), bool)),
        "lowest": np.array(-np.inf, np.float32), "rows": np.array([[True], [False], [True], [True], [False]]),
        "k": numbers(6),
    }
    keep("parts", nodes, {"x": ["N", 4, 5, 6]}, dict.fromkeys("abcdfg"), tensors)


def unsupported():
    nodes = [
        node("Einsum", "x x", "a", equation="nchw,nchw->nchw"),
        node("Einsum", "a x", "b", equation="nchw,nchw->nchw"),
        node("Resize", "x none double", "c", mode="cubic"),
        node("GridSample", "b grid", "d"),
        node("Relu", "d", "y"),
        node("FusedMatMul", "x x", "z", domain="com.microsoft"),
    ]
    nodes[2].input[1] = ""
    tensors = {"double": np.array([1, 1, 2, 2], np.float32), "grid": numbers(2, 3, 3, 2)}
    made = model("unsupported", nodes, {"x": ["N", 2, 4, 4]}, {"y": None, "c": None}, tensors)
    onnx.save(made, FOLDER / "unsupported.onnx")


FOLDER.mkdir(exist_ok=True)
for make in (convolutions, pools, channels_last, dense, shapes, older_softmax, sizes, two_inputs, attention,
             without_batch, precisions, elsewhere, unsupported, functions, windows, reductions, norms, parts):
    make()
print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes in", FOLDER)
