"""Converts the authors' YuNet into yunet.safetensors.

Run: python weights/make_yunet.py yunet_n_dynamic.onnx (needs numpy, onnx, safetensors). The file is in the authors'
repository, https://github.com/ShiqiYu/libfacedetection.train.

Where a batch normalisation was folded into a convolution the ONNX file has lost the names of its parameters. Such a
convolution is the first one, or it is depthwise and follows the pointwise one of the same unit, which has its name.
"""
import json
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

METADATA = {
    "model": "YuNet, the version yunet_n",
    "origin": "libfacedetection.train by Shiqi Yu and others (yunet_n_dynamic.onnx); method: Wu, Peng, Yu 2023, YuNet: A "
    "Tiny Millisecond-level Face Detector, Machine Intelligence Research 20 (doi:10.1007/s11633-023-1423-y)",
    "license": "Apache-2.0, Copyright 2018-2022 OpenMMLab, 2022 Shiqi Yu",
    "preprocessing": json.dumps({"order": "bgr", "mean": [0, 0, 0], "std": [1, 1, 1], "gray": False}, separators=(",", ":")),
}

graph = onnx.load(sys.argv[1]).graph
constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
tensors, unit = {}, "backbone.model0.conv1"
for node in graph.node:
    if node.op_type != "Conv":
        continue
    weight, bias = node.input[1:]
    if weight.endswith(".weight"):
        name = weight.removesuffix(".weight")
        unit = name.removesuffix(".conv1") + ".conv2"
    else:
        name = unit
    assert f"{name}.weight" not in tensors, name
    tensors[f"{name}.weight"], tensors[f"{name}.bias"] = constants[weight], constants[bias]
print(len(tensors), "tensors,", sum(tensor.size for tensor in tensors.values()), "values")
save_file(tensors, Path(__file__).with_name("yunet.safetensors"), METADATA)
