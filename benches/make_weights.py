"""Writes VGG16 with seeded random weights in every format that can be read: files of full size for `cargo bench --bench
import`. PyTorch itself is not needed: the pickles are the same.

Run: python benches/make_weights.py FOLDER [CLASSES] (needs numpy, h5py, onnx, safetensors).
"""
import io, pickle, struct, sys, types, zipfile
from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import save_file

BLOCKS = [[64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3]


def tensors(classes):
    random, made, channels, number = np.random.default_rng(1), {}, 3, 0
    def layer(name, *shape):
        made[f"{name}.weight"] = random.standard_normal(shape, np.float32) * np.float32(0.02)
        made[f"{name}.bias"] = random.standard_normal(shape[0], np.float32) * np.float32(0.02)
    for block in BLOCKS:
        for filters in block:
            layer(f"features.{number}", filters, channels, 3, 3)
            channels, number = filters, number + 2
        number += 1
    for name, shape in [("0", (4096, 25088)), ("3", (4096, 4096)), ("6", (classes, 4096))]:
        layer(f"classifier.{name}", *shape)
    return made


class FloatStorage:
    """What PyTorch's pickles name as a tensor's storage."""

def _rebuild_tensor_v2(*_):
    pass

for module, member in [("torch", FloatStorage), ("torch._utils", _rebuild_tensor_v2)]:
    sys.modules[module] = types.ModuleType(module)
    member.__module__, member.__qualname__ = module, member.__name__
    setattr(sys.modules[module], member.__name__, member)


class Rebuild:
    def __init__(self, key, array):
        self.key, self.array = key, array

    def __reduce__(self):
        strides = tuple(stride // 4 for stride in self.array.strides)
        return _rebuild_tensor_v2, (Storage(self), 0, self.array.shape, strides, False, OrderedDict())


class Storage:
    def __init__(self, tensor):
        self.tensor = tensor


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        key, count = value.tensor.key, value.tensor.array.size
        return ("storage", FloatStorage, key, "cpu", count) + ((None,) if self.legacy else ())


def pickled(value, legacy=False):
    out = io.BytesIO()
    pickler = Pickler(out, protocol=2)
    pickler.legacy = legacy
    pickler.dump(value)
    return out.getvalue()


def write_pth(path, made):
    state = OrderedDict((name, Rebuild(str(i), array)) for i, (name, array) in enumerate(made.items()))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(state))
        archive.writestr("archive/byteorder", "little")
        for i, array in enumerate(made.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())
        archive.writestr("archive/version", "3\n")


def write_legacy_pth(path, made):
    state = OrderedDict((name, Rebuild(str(i), array)) for i, (name, array) in enumerate(made.items()))
    sizes = {"short": 2, "int": 4, "long": 4}
    with open(path, "wb") as out:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}):
            pickle.dump(value, out, protocol=2)
        out.write(pickled(state, legacy=True))
        pickle.dump([str(i) for i in range(len(made))], out, protocol=2)
        for array in made.values():
            out.write(struct.pack("<q", array.size))
            out.write(array.tobytes())


def write_keras(path, made):
    with h5py.File(path, "w") as file:
        names, number = [], 0
        def put(name, kernel, bias):
            names.append(name)
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/kernel:0", f"{name}/bias:0"], "S")
            group.create_dataset(f"{name}/kernel:0", data=kernel)
            group.create_dataset(f"{name}/bias:0", data=bias)
        for i, block in enumerate(BLOCKS, 1):
            for j in range(1, len(block) + 1):
                weight, bias = made[f"features.{number}.weight"], made[f"features.{number}.bias"]
                put(f"block{i}_conv{j}", weight.transpose(2, 3, 1, 0), bias)
                number += 2
            number += 1
        first = made["classifier.0.weight"].reshape(4096, 512, 7, 7).transpose(2, 3, 1, 0).reshape(25088, 4096)
        put("fc1", first, made["classifier.0.bias"])
        put("fc2", made["classifier.3.weight"].T, made["classifier.3.bias"])
        put("predictions", made["classifier.6.weight"].T, made["classifier.6.bias"])
        file.attrs["layer_names"] = np.array(names, "S")
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.0"


def write_onnx(path, made):
    nodes, x, number = [], "input", 0
    def node(kind, inputs, **attributes):
        nonlocal x
        out = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, [x, *inputs], [out], **attributes))
        x = out
    for block in BLOCKS:
        for _ in block:
            names = [f"features.{number}.weight", f"features.{number}.bias"]
            node("Conv", names, kernel_shape=[3, 3], pads=[1] * 4)
            node("Relu", [])
            number += 2
        node("MaxPool", [], kernel_shape=[2, 2], strides=[2, 2])
        number += 1
    node("Flatten", [])
    for i in (0, 3, 6):
        node("Gemm", [f"classifier.{i}.weight", f"classifier.{i}.bias"], transB=1)
    constants = [helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.tobytes(), raw=True) for name, array in made.items()]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])]
    outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", made["classifier.6.bias"].size])]
    graph = helper.make_graph(nodes, "vgg16", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


folder, classes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
folder.mkdir(parents=True, exist_ok=True)
made = tensors(classes)
save_file(made, folder / "vgg16.safetensors", {"format": "pt"})
np.savez(folder / "vgg16.npz", **made)
write_pth(folder / "vgg16.pth", made)
write_legacy_pth(folder / "vgg16_legacy.pth", made)
write_keras(folder / "vgg16_keras.h5", made)
write_onnx(folder / "vgg16.onnx", made)
for path in sorted(folder.iterdir()):
    print(path, path.stat().st_size)
