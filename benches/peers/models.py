"""VGG16 in the peers' formats, from the weights that vultus reads."""

import numpy as np

from files import load
from works import INPUT, LAYERS


def layers(work):
    """The layers in order: conv, pool or dense, its name among the parameters, its outputs, whether a ReLU follows."""
    number = 0
    for filters in LAYERS:
        if filters == "M":
            yield "pool", f"features.{number}", 0, False
            number += 1
        else:
            yield "conv", f"features.{number}", filters, True
            number += 2
    for i, outputs in enumerate(work.dense):
        yield "dense", f"classifier.{3 * i}", outputs, i + 1 < len(work.dense)


def softmax(work):
    """vultus ends the whole network with probabilities."""
    return work.network == "whole"


def ncnn_files(folder, work):
    """ncnn's own format, with ReLUs fused as its optimiser does it: (parameters, weights)."""
    paths = folder / f"{work.network}.param", folder / f"{work.network}.bin"
    if all(path.exists() for path in paths):
        return paths
    tensors, lines, before = load(work.weights), ["Input input 0 1 input"], "input"
    with open(paths[1], "wb") as out:
        for kind, name, outputs, relu in layers(work):
            if kind == "pool":
                lines.append(f"Pooling {name} 1 1 {before} {name} 0=0 1=2 2=2")
            else:
                weight = tensors[f"{name}.weight"]
                shape = f"0={outputs} 1=3 4=1 5=1 6={weight.size}" if kind == "conv" else f"0={outputs} 1=1 2={weight.size}"
                operation = "Convolution" if kind == "conv" else "InnerProduct"
                lines.append(f"{operation} {name} 1 1 {before} {name} {shape} 9={int(relu)}" + " 5=1" * (kind == "conv"))
                out.write(np.uint32(0).tobytes() + weight.tobytes() + tensors[f"{name}.bias"].tobytes())
            before = name
    lines.append(f"Softmax output 1 1 {before} output" if softmax(work) else f"Noop output 1 1 {before} output")
    paths[0].write_text("\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines]) + "\n")
    return paths


def onnx_file(folder, work):
    """ONNX with the batch in its shapes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper, shape_inference

    path = folder / f"{work.network}_{work.batch}.onnx"
    if path.exists():
        return path
    tensors, nodes, used, before = load(work.weights), [], [], "input"

    def add(operation, inputs, name, **attributes):
        nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    for kind, name, _, relu in layers(work):
        if kind == "pool":
            before = add("MaxPool", [before], name, kernel_shape=[2, 2], strides=[2, 2])
            continue
        parameters = [f"{name}.weight", f"{name}.bias"]
        used += parameters
        if kind == "conv":
            before = add("Conv", [before, *parameters], name, kernel_shape=[3, 3], pads=[1] * 4)
        else:
            if name == "classifier.0":
                before = add("Flatten", [before], "flatten")
            before = add("Gemm", [before, *parameters], name, transB=1)
        if relu:
            before = add("Relu", [before], f"{name}.relu")
    if softmax(work):
        before = add("Softmax", [before], "softmax", axis=1)
    nodes[-1].output[0] = "output"
    shape = [work.batch, work.dense[-1]] if work.dense else [work.batch, 512, INPUT // 32, INPUT // 32]
    graph = helper.make_graph(
        nodes,
        "vgg16",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [work.batch, 3, INPUT, INPUT])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(tensors[name], name) for name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    # wonnx asks for the shapes of all values.
    onnx.save(shape_inference.infer_shapes(model), path)
    return path


def torch_network(work):
    """PyTorch's network in channels_last; what is trained asks for gradients."""
    import torch
    from torch import nn

    features, classifier, inputs = nn.Sequential(), nn.Sequential(), 3
    for kind, name, outputs, relu in layers(work):
        number = int(name.split(".")[1])
        if kind == "pool":
            features.add_module(str(number), nn.MaxPool2d(2))
            continue
        if kind == "dense" and name == "classifier.0":
            inputs = 512 * (INPUT // 32) ** 2
        part = features if kind == "conv" else classifier
        part.add_module(str(number), nn.Conv2d(inputs, outputs, 3, padding=1) if kind == "conv" else nn.Linear(inputs, outputs))
        if relu:
            part.add_module(str(number + 1), nn.ReLU(inplace=True))
        inputs = outputs

    class Vgg16(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential() if work.network == "head" else features
            self.classifier = classifier

        def forward(self, x):
            x = self.features(x)
            if work.dense:
                x = self.classifier(torch.flatten(x, 1))
            return torch.softmax(x, 1) if softmax(work) else x

    network = Vgg16()
    wanted = network.state_dict().keys()
    network.load_state_dict({name: torch.from_numpy(t) for name, t in load(work.weights).items() if name in wanted})
    network = network.to(memory_format=torch.channels_last)
    if work.network == "block5":
        for name, parameter in network.features.named_parameters():
            parameter.requires_grad_(int(name.split(".")[0]) >= 24)
    return network
