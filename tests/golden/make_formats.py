"""Recipes of the files that make_networks.py saves of the tensors in tiny_vgg16.safetensors, in every other format.

Each file is more than half a megabyte and repeats these tensors, so formats/ has what to put around them instead: for
every file its SHA-256 and its pieces in order. A piece is one of
    "504b0304"                                   these bytes, in hexadecimal,
    [64, 0]                                      so many bytes of this value,
    {"tensor": "classifier.0.bias"}              the bytes of a tensor of tiny_vgg16.safetensors,
    {"tensor": "classifier.0.weight", "split": [64, 32, 7, 7], "order": [2, 3, 1, 0]}
                                                 the same, seen in the shape `split`, with its axes in this order.
tests/imports/recipe.rs puts them together again.

Run in this folder: python make_formats.py FOLDER (the folder where make_networks.py was run; needs nothing else).
"""
import hashlib, itertools, json, pathlib, struct, sys

FILES = ["tiny_vgg16.pth", "tiny_vgg16_legacy.pth", "tiny_vgg16.npz", "tiny_vgg16_keras.h5", "tiny_vgg16.onnx"]
FLATTENED = [32, 7, 7]  # What the first dense layer's columns count.
LONGEST_LITERAL = 56
SHORTEST_RUN = 12

def tensors(path):
    """The name, shape and bytes of every tensor of a safetensors file of f32."""
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            yield name, entry["shape"], data[start + first:start + end]

def permuted(data, split, order):
    strides = [4] * len(split)
    for axis in range(len(split) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * split[axis + 1]
    ranges = [range(0, strides[axis] * split[axis], strides[axis]) for axis in order]
    return b"".join(data[at:at + 4] for at in map(sum, itertools.product(*ranges)))

def copies(path):
    """Every tensor as PyTorch has it, and every kernel as Keras has it: height, width, input, output."""
    for name, shape, data in tensors(path):
        yield {"tensor": name}, data
        if len(shape) > 1:
            split = shape if len(shape) == 4 else shape[:1] + FLATTENED if name == "classifier.0.weight" else shape
            order = [2, 3, 1, 0] if len(split) == 4 else [1, 0]
            yield {"tensor": name, "split": split, "order": order}, permuted(data, split, order)

def literals(data):
    """Bytes as they are, and the long runs among them."""
    runs = [(byte, len(list(run))) for byte, run in itertools.groupby(data)]
    for long, group in itertools.groupby(runs, lambda run: run[1] >= SHORTEST_RUN):
        if long:
            yield from ([count, byte] for byte, count in group)
        else:
            rest = b"".join(bytes([byte]) * count for byte, count in group)
            yield from (rest[at:at + LONGEST_LITERAL].hex() for at in range(0, len(rest), LONGEST_LITERAL))

def recipe(data, sources):
    found = sorted((at, len(copy), piece) for piece, copy in sources if (at := data.find(copy)) >= 0)
    pieces, end = [], 0
    for at, length, piece in found:
        assert at >= end, f"{piece} overlaps what comes before"
        pieces += [*literals(data[end:at]), piece]
        end = at + length
    return pieces + list(literals(data[end:]))

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    sources = list(copies(pathlib.Path("tiny_vgg16.safetensors")))
    for name in FILES:
        data = (folder / name).read_bytes()
        pieces = ",\n".join(json.dumps(piece) for piece in recipe(data, sources))
        text = f'{{"sha256": "{hashlib.sha256(data).hexdigest()}", "pieces": [\n{pieces}\n]}}\n'
        pathlib.Path("formats", name + ".json").write_text(text)
