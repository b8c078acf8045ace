"""The networks in the peers' formats, from the weights that vultus reads."""

import numpy as np

from files import load
from networks import folded, nodes
from works import INPUT


def softmax(work):
    """vultus ends whole networks with probabilities."""
    return work.network == "whole" or work.is_published


def ncnn_files(folder, work):
    """ncnn's own format, with activations fused as its optimiser does it: (parameters, weights)."""
    paths = folder / f"{work.network}.param", folder / f"{work.network}.bin"
    if all(path.exists() for path in paths):
        return paths
    graph, tensors = nodes(work, INPUT), load(work.weights)
    readers = [x for node in graph for x in node.inputs]
    lines, blobs, taken = [], 0, {}

    def add(operation, name, inputs, parameters=""):
        """A line; what several read goes through a line that splits it."""
        nonlocal blobs
        sources = []
        for x in inputs:
            taken[x] = taken.get(x, 0) + 1
            sources.append(f"{x}_{taken[x]}" if readers.count(x) > 1 else x)
        lines.append(f"{operation} {name} {len(sources)} 1 {' '.join(sources)} {name} {parameters}".rstrip())
        blobs += 1
        copies = readers.count(name)
        if copies > 1:
            lines.append(f"Split {name}_split 1 {copies} {name} {' '.join(f'{name}_{i + 1}' for i in range(copies))}")
            blobs += copies

    with open(paths[1], "wb") as out:
        add("Input", "input", ())
        for node in graph:
            top, left, bottom, right = node.padding
            if node.kind == "max_pool":
                add("Pooling", node.name, node.inputs, f"0=0 1={node.kernel} 2={node.stride} 3={left} 5=1")
            elif node.kind == "mean":
                add("Pooling", node.name, node.inputs, "0=1 4=1")
            elif node.kind == "add":
                name = f"{node.name}_sum" if node.activation else node.name
                add("BinaryOp", name, node.inputs, "0=0")
                if node.activation:
                    add("ReLU", node.name, (name,))
            else:
                weight, bias = folded(node, tensors)
                out.write(np.uint32(0).tobytes() + weight.tobytes() + bias.tobytes())
                activation = {"": "", "relu": " 9=1", "relu6": " 9=3 -23310=2,0.0,6.0"}[node.activation]
                if node.kind == "dense":
                    add("InnerProduct", node.name, node.inputs, f"0={node.channels} 1=1 2={weight.size}{activation}")
                    continue
                operation, groups = ("ConvolutionDepthWise", f" 7={node.groups}") if node.groups > 1 else ("Convolution", "")
                shape = f"0={node.channels} 1={node.kernel} 3={node.stride} 4={left} 14={top} 15={right} 16={bottom}"
                add(operation, node.name, node.inputs, f"{shape} 5=1 6={weight.size}{groups}{activation}")
    add("Softmax" if softmax(work) else "Noop", "output", (graph[-1].name,))
    paths[0].write_text("\n".join(["7767517", f"{len(lines)} {blobs}", *lines]) + "\n")
    return paths


def onnx_file(folder, work):
    """ONNX with the batch in its shapes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper, shape_inference

    path = folder / f"{work.network}_{work.batch}.onnx"
    if path.exists():
        return path
    graph, tensors = nodes(work, INPUT), load(work.weights)
    written, constants = [], {}
    if any(node.activation == "relu6" for node in graph):
        constants = {"zero": np.float32(0), "six": np.float32(6)}

    def add(operation, inputs, name, **attributes):
        written.append(helper.make_node(operation, inputs, [name], name=name, **attributes))

    for node in graph:
        name = f"{node.name}.linear" if node.activation else node.name
        window = {"kernel_shape": [node.kernel] * 2, "strides": [node.stride] * 2, "pads": list(node.padding)}
        parameters = [f"{node.name}.weight", f"{node.name}.bias"]
        if node.shape:
            constants |= zip(parameters, folded(node, tensors))
        if node.kind == "max_pool":
            add("MaxPool", node.inputs, name, **window)
        elif node.kind == "mean":
            add("GlobalAveragePool", node.inputs, name)
        elif node.kind == "add":
            add("Add", node.inputs, name)
        elif node.kind == "conv":
            add("Conv", [*node.inputs, *parameters], name, group=node.groups, **window)
        else:
            add("Flatten", node.inputs, f"{node.name}.input")
            add("Gemm", [f"{node.name}.input", *parameters], name, transB=1)
        if node.activation == "relu":
            add("Relu", [name], node.name)
        elif node.activation == "relu6":
            add("Clip", [name, "zero", "six"], node.name)
    if softmax(work):
        add("Softmax", [graph[-1].name], "softmax", axis=1)
    written[-1].output[0] = "output"
    dense = [node.channels for node in graph if node.kind == "dense"]
    shape = [work.batch, dense[-1]] if dense else [work.batch, 512, INPUT // 32, INPUT // 32]
    graph = helper.make_graph(
        written,
        work.network,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [work.batch, 3, INPUT, INPUT])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    # wonnx asks for the shapes of all values.
    onnx.save(shape_inference.infer_shapes(model), path)
    return path


def torch_network(work):
    """PyTorch's VGG16 in channels_last; what is trained asks for gradients."""
    import torch
    from torch import nn

    features, classifier, inputs = nn.Sequential(), nn.Sequential(), 3
    for node in nodes(work, INPUT):
        number = int(node.name.split(".")[1])
        if node.kind == "max_pool":
            features.add_module(str(number), nn.MaxPool2d(2))
            continue
        conv = node.kind == "conv"
        part = features if conv else classifier
        layer = nn.Conv2d(inputs, node.channels, 3, padding=1) if conv else nn.Linear(node.shape[1], node.channels)
        part.add_module(str(number), layer)
        if node.activation:
            part.add_module(str(number + 1), nn.ReLU(inplace=True))
        inputs = node.channels

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
