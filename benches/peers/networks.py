"""The networks as lists of nodes, with vultus's names for parameters, and parameters for those that have none."""

from dataclasses import dataclass

import numpy as np

# Filters of VGG16's convolutions; M is a pool. Numbers of layers are torchvision's, which counts ReLUs and pools.
VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
# Expansion, channels, number, first stride, kernel of a stage's blocks.
MOBILENET_V2 = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)]
LITE0 = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]


# Of the values of a picture.
INPUT_DEVIATION = 75


@dataclass(frozen=True)
class Node:
    kind: str  # conv, max_pool, mean (over height and width), add, dense
    name: str  # of its value, and of its parameters
    inputs: tuple
    channels: int = 0  # of its output, where it has parameters
    shape: tuple = ()  # of its weights
    stride: int = 1
    kernel: int = 1
    padding: tuple = (0, 0, 0, 0)  # top, left, bottom, right
    groups: int = 1
    norm: str = ""  # the batch normalisation after it
    eps: float = 1e-5
    activation: str = ""  # relu, relu6


class Builder:
    """A network, node by node; each method gives the name of its value."""

    def __init__(self, input_size):
        self.nodes, self.channels, self.size = [], {"input": 3}, input_size

    def conv(self, x, name, channels, kernel, stride=1, padding=None, groups=1, **more):
        padding = (kernel // 2,) * 4 if padding is None else padding
        shape = (channels, self.channels[x] // groups, kernel, kernel)
        return self.push(Node("conv", name, (x,), channels, shape, stride, kernel, padding, groups, **more), channels)

    def max_pool(self, x, name, kernel, stride, padding):
        return self.push(Node("max_pool", name, (x,), 0, (), stride, kernel, (padding,) * 4), self.channels[x])

    def mean(self, x):
        return self.push(Node("mean", "mean", (x,)), self.channels[x])

    def add(self, x, y, name, activation=""):
        return self.push(Node("add", name, (x, y), activation=activation), self.channels[x])

    def dense(self, x, name, channels, inputs=None, activation=""):
        shape = (channels, inputs or self.channels[x])
        return self.push(Node("dense", name, (x,), channels, shape, activation=activation), channels)

    def push(self, node, channels):
        self.nodes.append(node)
        self.channels[node.name] = channels
        return node.name

    def same(self, kernel, stride):
        """TensorFlow's padding, for an input of the size where this stands."""
        before = self.size
        self.size = -(-before // stride)
        padding = max((self.size - 1) * stride + kernel - before, 0)
        return (padding // 2, padding // 2, -(-padding // 2), -(-padding // 2))


def nodes(work, input_size):
    build = Builder(input_size)
    {"resnet18": resnet18, "mobilenet_v2": mobilenet_v2, "efficientnet_lite0": lite0}.get(work.network, vgg16)(build, work, input_size)
    return build.nodes


def vgg16(build, work, input_size):
    number, x = 0, "input"
    for filters in VGG16:
        name = f"features.{number}"
        x = build.max_pool(x, name, 2, 2, 0) if filters == "M" else build.conv(x, name, filters, 3, activation="relu")
        number += 1 if filters == "M" else 2
    inputs = 512 * (input_size // 32) ** 2
    for i, outputs in enumerate(work.dense):
        last = i + 1 == len(work.dense)
        x = build.dense(x, f"classifier.{3 * i}", outputs, inputs, "" if last else "relu")
        inputs = outputs


def resnet18(build, work, _):
    x = build.conv("input", "conv1", 64, 7, 2, norm="bn1", activation="relu")
    x = build.max_pool(x, "maxpool", 3, 2, 1)
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            name, stride = f"layer{stage + 1}.{block}", 2 if stage > 0 and block == 0 else 1
            past = x
            if stride > 1:
                past = build.conv(x, f"{name}.downsample.0", width, 1, stride, norm=f"{name}.downsample.1")
            y = build.conv(x, f"{name}.conv1", width, 3, stride, norm=f"{name}.bn1", activation="relu")
            y = build.conv(y, f"{name}.conv2", width, 3, norm=f"{name}.bn2")
            x = build.add(y, past, f"{name}.add", "relu")
    build.dense(build.mean(x), "fc", work.classes)


def mobilenet_v2(build, work, _):
    x, number = build.conv("input", "features.0.0", 32, 3, 2, norm="features.0.1", activation="relu6"), 1
    for expansion, width, count, first, kernel in MOBILENET_V2:
        for block in range(count):
            name, stride, part, y = f"features.{number}.conv", first if block == 0 else 1, 0, x
            hidden = build.channels[x] * expansion
            if expansion > 1:
                y = build.conv(y, f"{name}.0.0", hidden, 1, norm=f"{name}.0.1", activation="relu6")
                part = 1
            y = build.conv(y, f"{name}.{part}.0", hidden, kernel, stride, groups=hidden, norm=f"{name}.{part}.1", activation="relu6")
            y = build.conv(y, f"{name}.{part + 1}", width, 1, norm=f"{name}.{part + 2}")
            x = build.add(y, x, f"features.{number}.add") if stride == 1 and build.channels[x] == width else y
            number += 1
    x = build.conv(x, f"features.{number}.0", 1280, 1, norm=f"features.{number}.1", activation="relu6")
    build.dense(build.mean(x), "classifier.1", work.classes)


def lite0(build, work, _):
    relu6 = {"activation": "relu6", "eps": 1e-3}
    x, number = build.conv("input", "_conv_stem", 32, 3, 2, build.same(3, 2), norm="_bn0", **relu6), 0
    for expansion, width, count, first, kernel in LITE0:
        for block in range(count):
            name, stride, y = f"_blocks.{number}", first if block == 0 else 1, x
            hidden = build.channels[x] * expansion
            if expansion > 1:
                y = build.conv(y, f"{name}._expand_conv", hidden, 1, norm=f"{name}._bn0", **relu6)
            padding = build.same(kernel, stride)
            y = build.conv(y, f"{name}._depthwise_conv", hidden, kernel, stride, padding, hidden, norm=f"{name}._bn1", **relu6)
            y = build.conv(y, f"{name}._project_conv", width, 1, norm=f"{name}._bn2", eps=1e-3)
            x = build.add(y, x, f"{name}.add") if stride == 1 and build.channels[x] == width else y
            number += 1
    x = build.conv(x, "_conv_head", 1280, 1, norm="_bn1", **relu6)
    build.dense(build.mean(x), "_fc", work.classes)


def parameters(nodes, random):
    """Weights that keep the size of values about the same from node to node, and batch normalisations that change it a
    little."""
    tensors = {}
    for node in nodes:
        if not node.shape:
            continue
        deviation = np.sqrt((2 if node.activation else 1) / np.prod(node.shape[1:]))
        if node.inputs == ("input",):
            deviation /= INPUT_DEVIATION
        tensors[f"{node.name}.weight"] = random.standard_normal(node.shape) * deviation
        if not node.norm:
            tensors[f"{node.name}.bias"] = np.zeros(node.channels)
            continue
        tensors[f"{node.norm}.weight"] = random.uniform(0.8, 1.2, node.channels)
        tensors[f"{node.norm}.bias"] = random.normal(0, 0.1, node.channels)
        tensors[f"{node.norm}.running_mean"] = random.normal(0, 0.1, node.channels)
        tensors[f"{node.norm}.running_var"] = random.uniform(0.8, 1.2, node.channels)
    return {name: values.astype(np.float16) for name, values in tensors.items()}


def folded(node, tensors):
    """A node's weight and bias, with its batch normalisation in them, as every peer does it before it runs."""
    weight = tensors[f"{node.name}.weight"].reshape(node.shape)
    if not node.norm:
        return weight, tensors[f"{node.name}.bias"]
    gamma, beta, mean, variance = (tensors[f"{node.norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var"))
    scale = gamma / np.sqrt(variance + node.eps)
    return (weight * scale[:, None, None, None]).astype(np.float32), (beta - mean * scale).astype(np.float32)
