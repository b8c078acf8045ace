"""VGG16's activations on one photo with the weights of weights/vgg16_base.safetensors, computed by NumPy in float64.

Like vgg16_activations.safetensors (see make_networks.py), which belongs to the same weights before they were rounded to f16
and 8 bits. Run in this folder: python make_vgg16_shipped.py (needs numpy, pillow, safetensors).
"""
import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

WIDTHS = [2, 2, 3, 3, 3]

stored = load_file("../../weights/vgg16_base.safetensors")

def values(name, numbers):
    """What is computed with: whole numbers of 8 bits are multiples of a scale for each output channel, in f32."""
    if numbers.dtype == np.int8:
        numbers = numbers.astype(np.float32) * stored[f"{name}.scale"][:, None, None, None]
    return numbers.astype(np.float64)

weights = {name: values(name, numbers) for name, numbers in stored.items()}
photo = np.asarray(Image.open("../photos/astronaut_face_224.png").convert("RGB"), np.float64)
photo = (photo[:, :, ::-1] - [103.939, 116.779, 123.68]).transpose(2, 0, 1)

def conv_relu(x, w, b):
    c, h, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    columns = np.stack([padded[:, i:i + h, j:j + width] for i in range(3) for j in range(3)], 1).reshape(c * 9, -1)
    return np.maximum(w.reshape(len(w), -1) @ columns + b[:, None], 0).reshape(-1, h, width)

tensors = {}
for input_size, x in (("224", photo), ("96", photo[:, 64:160, 64:160])):
    number = 0
    for block, convolutions in enumerate(WIDTHS, 1):
        names = [f"block{block}_conv{i}" for i in range(1, convolutions + 1)] + [f"block{block}_pool"]
        for name in names:
            if name.endswith("pool"):
                c, h, w = x.shape
                x = x.reshape(c, h // 2, 2, w // 2, 2).max((2, 4)); number += 1
            else:
                x = conv_relu(x, weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]); number += 2
            flat = x.ravel()
            tensors[f"{input_size}.{name}.stats"] = np.array([flat.mean(), flat.std(), flat.max()])
            tensors[f"{input_size}.{name}.sample"] = flat[:: max(1, flat.size // 64)][:64]
    tensors[f"{input_size}.pool5"] = x[None]
save_file({k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}, "vgg16_shipped_activations.safetensors")
