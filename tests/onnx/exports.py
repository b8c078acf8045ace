"""Writes models as other programs export them, with what onnxruntime computes, as folders that
`examples/onnx_node_tests.rs` runs.

    pip install torch torchvision onnx onnxscript onnxruntime numpy
    python tests/onnx/exports.py FOLDER torch               # torchvision's networks, by both exporters of PyTorch
    pip install tensorflow-cpu keras tf2onnx onnxruntime numpy
    python tests/onnx/exports.py FOLDER keras               # networks of Keras, by Keras and by tf2onnx
    python tests/onnx/exports.py FOLDER tensorflow          # SavedModels of TensorFlow, by the command of tf2onnx
    python tests/onnx/exports.py FOLDER yunet_n_dynamic.onnx height=640 width=512
    cargo run --release --features import,onnx --example onnx_node_tests -- FOLDER [DEVICE] [height=640 width=512]

All weights but those of files are random, with seeds.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime


def keep(folder, sizes={}, least=0.01):
    """Runs `model.onnx` of a folder on random numbers and writes them beside it, with what comes of them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    random, tensors, feeds = np.random.default_rng(7), {}, {}
    for index, value in enumerate(session.get_inputs()):
        # A batch of 2, where its size is open.
        size = lambda place, given: given if isinstance(given, int) else sizes.get(given, 2 if place == 0 else None)
        shape = [size(place, given) for place, given in enumerate(value.shape)]
        feeds[value.name] = tensors[f"input_{index}"] = random.standard_normal(shape).astype(np.float32)
    for index, output in enumerate(session.run(None, feeds)):
        assert np.isfinite(output).all() and np.abs(output).max() > least, f"{folder.name} says nothing"
        tensors[f"output_{index}"] = output
    np.savez(folder / "tensors.npz", **tensors)
    print(folder.name, [list(array.shape) for array in tensors.values()])


def of_torch(target):
    import torch
    import torchvision

    class Pieces(torch.nn.Module):
        """What has no place in the others."""

        def __init__(self):
            super().__init__()
            self.up = torch.nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1)
            self.convs = torch.nn.ModuleList([torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Conv2d(6, 4, (1, 3))])
            self.norms = torch.nn.ModuleList([torch.nn.GroupNorm(2, 8), torch.nn.InstanceNorm2d(6, affine=True)])

        def forward(self, x):
            y = torch.nn.functional.elu(self.norms[0](self.convs[0](x)))
            y = torch.nn.functional.softplus(self.norms[1](self.up(y)))
            y = torch.nn.functional.max_pool2d(y[:, :, ::2], (1, 3), (1, 2))
            y = self.convs[1](torch.nn.functional.pad(y, (1, 1, 2, 2), mode="reflect"))
            y = torch.nn.functional.normalize(torch.nn.functional.mish(y), dim=1)
            return (y.amax((2, 3)) / y.abs().mean((2, 3)).sqrt()).tanh().log_softmax(1)

    networks = {
        "resnet18": torchvision.models.resnet18, "mobilenet_v2": torchvision.models.mobilenet_v2,
        "squeezenet1_1": torchvision.models.squeezenet1_1, "efficientnet_b0": torchvision.models.efficientnet_b0,
        "pieces": Pieces,
    }
    for name, make in networks.items():
        torch.manual_seed(7)
        size = (33, 31) if name == "pieces" else (224, 224)
        network, x = make(), torch.randn(2, 3, *size)
        # Statistics of what the random weights give, so that nothing vanishes from layer to layer.
        for norm in (part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)):
            norm.momentum = 1.0
        with torch.no_grad():
            network.train()(x)
        network.eval()
        for way in ("dynamo", "script"):
            folder = target / f"torch_{name}_{way}"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "model.onnx"
            if way == "dynamo":
                batch = {0: torch.export.Dim("batch")}
                torch.onnx.export(network, (x,), path, dynamo=True, dynamic_shapes=(batch,), external_data=False)
            else:
                names = {"input_names": ["x"], "output_names": ["y"]}
                torch.onnx.export(network, (x,), path, dynamo=False, dynamic_axes={"x": {0: "batch"}}, **names)
            keep(folder)


def randomize(network):
    """Gives a network of Keras weights with which values neither grow nor vanish from layer to layer."""
    random = np.random.default_rng(7)
    for variable in network.weights:
        values, name = random.standard_normal(variable.shape), variable.path
        if len(variable.shape) > 1:
            values *= (2 / np.prod(variable.shape[:2] if "depthwise" in name else variable.shape[:-1])) ** 0.5
        elif "variance" in name:
            values = np.abs(values) + 0.5
        else:
            values = 0.1 * values + ("gamma" in name)
        variable.assign(values)


def of_keras(target):
    import keras
    import tensorflow as tf
    import tf2onnx

    def small():
        layers = keras.layers
        x = entry = keras.Input((24, 20, 3))
        x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.PReLU(shared_axes=[1, 2])(x)
        side = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="elu")(x)
        side = layers.AveragePooling2D(2)(layers.LayerNormalization()(side))
        x = layers.Concatenate()([layers.MaxPooling2D((1, 2), padding="same")(x),
                                  layers.MaxPooling2D((1, 2), padding="same")(side)])
        x = layers.UpSampling2D(2)(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
        x = layers.Add()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
        x = layers.Dense(9, activation="tanh")(layers.Dropout(0.5)(x))
        return keras.Model(entry, layers.Dense(5, activation="softmax")(layers.Activation("swish")(x)))

    applications = keras.applications
    networks = {
        "small": small,
        "mobilenet_v2": lambda: applications.MobileNetV2((96, 96, 3), weights=None, classes=10),
        "resnet50": lambda: applications.ResNet50(input_shape=(64, 64, 3), weights=None, classes=10),
        "efficientnet_b0": lambda: applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None, classes=10),
    }
    for name, make in networks.items():
        keras.utils.set_random_seed(7)
        network = make()
        network(np.zeros((1, *network.input_shape[1:]), np.float32))
        randomize(network)
        for way in ("export", "tf2onnx"):
            folder = target / f"keras_{name}_{way}"
            folder.mkdir(parents=True, exist_ok=True)
            path = str(folder / "model.onnx")
            if way == "export":
                network.export(path, format="onnx", verbose=False)
            else:
                signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="x")]
                tf2onnx.convert.from_function(tf.function(lambda x: network(x, training=False), input_signature=signature),
                                              input_signature=signature, opset=17, output_path=path)
            keep(folder)


def of_tensorflow(target):
    import subprocess

    import keras
    import tensorflow as tf

    random = np.random.default_rng(7)

    def variable(*shape):
        return tf.Variable((random.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5).astype(np.float32))

    class Small(tf.Module):
        """TensorFlow's own operations, pictures as NHWC."""

        def __init__(self):
            self.stem, self.depthwise, self.pointwise = variable(3, 3, 3, 8), variable(3, 3, 8, 2), variable(1, 1, 16, 12)
            self.up, self.dilated, self.grouped = variable(2, 2, 8, 12), variable(3, 3, 8, 8), variable(3, 3, 4, 8)
            self.scale, self.offset, self.mean = variable(8), variable(8), variable(8)
            self.variance = tf.Variable(np.abs(random.standard_normal(8)).astype(np.float32) + 0.5)
            self.dense, self.bias = variable(8 * 6 * 5, 10), variable(10)

        @tf.function(input_signature=[tf.TensorSpec((None, 24, 20, 3), tf.float32, name="pictures")])
        def __call__(self, x):
            x = tf.nn.conv2d((x - 0.1) / 1.3, self.stem, 2, "SAME")
            x = tf.nn.relu6(tf.nn.batch_normalization(x, self.mean, self.variance, self.offset, self.scale, 1e-3))
            y = tf.nn.bias_add(tf.nn.depthwise_conv2d(x, self.depthwise, [1, 2, 2, 1], "SAME"), tf.ones(16))
            y = tf.nn.leaky_relu(tf.nn.conv2d(y, self.pointwise, 1, "VALID"), 0.1)
            shape = tf.stack([tf.shape(y)[0], 12, 10, 8])
            y = tf.nn.conv2d_transpose(y, self.up, shape, 2, "SAME") + x
            y = tf.nn.conv2d(tf.pad(y, [[0, 0], [2, 2], [2, 2], [0, 0]]), self.dilated, 1, "VALID", dilations=2)
            y = tf.nn.sigmoid(y) * tf.reduce_mean(y, [1, 2], keepdims=True)
            y = tf.nn.conv2d(tf.concat(tf.split(y, 2, axis=3)[::-1], 3), self.grouped, 1, "SAME")
            y = tf.nn.max_pool2d(y, 3, 1, "SAME") - tf.nn.avg_pool2d(y, 3, 1, "SAME")
            large = tf.image.resize(y, (24, 20)) + tf.image.resize(y, (24, 20), "nearest")
            small = tf.nn.avg_pool2d(large, 4, 4, "VALID") + tf.nn.space_to_depth(y, 2)[..., :8]
            y = tf.reshape(tf.transpose(small, [0, 3, 1, 2]), [-1, 8 * 6 * 5])
            return tf.nn.softmax(tf.nn.elu(tf.matmul(y, self.dense)) + self.bias)

    keras.utils.set_random_seed(7)
    mobilenet = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10)
    randomize(mobilenet)
    for name, network in {"small": Small(), "mobilenet_v2": mobilenet}.items():
        folder = target / f"tensorflow_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        saved = str(folder / "saved_model")
        if name == "small":
            tf.saved_model.save(network, saved)
        else:
            network.export(saved, format="tf_saved_model", verbose=False)
        options = ["--saved-model", saved, "--output", str(folder / "model.onnx"), "--opset", "17"]
        subprocess.run([sys.executable, "-m", "tf2onnx.convert", *options], check=True)
        keep(folder)


def of_file(target, path, sizes):
    folder = target / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(path.read_bytes())
    # A detector may find nothing in random numbers.
    keep(folder, {name: int(size) for name, size in (given.split("=") for given in sizes)}, least=0.0)


target, kind, *sizes = sys.argv[1:]
match kind:
    case "torch":
        of_torch(Path(target))
    case "keras":
        of_keras(Path(target))
    case "tensorflow":
        of_tensorflow(Path(target))
    case path:
        of_file(Path(target), Path(path), sizes)
