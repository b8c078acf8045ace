"""Makes the files that everybody reads, where they are not there yet, and reads them."""

import numpy as np
from safetensors.numpy import load_file, save_file

import networks
from works import FILES, HEAD, IMAGENET, INPUT, ROOT, WORKS


def main():
    """Weights and inputs, once: VGG16's features as shipped, everything else from a seed. All numbers are those of f16, so
    that everybody starts from the same."""
    FILES.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(2014)
    base = shipped()
    for name, before, dense in (("base", base, []), ("whole", base, IMAGENET), ("all", base, HEAD), ("block5", base, HEAD), ("head", {}, HEAD)):
        if not (FILES / f"{name}.safetensors").exists():
            save(f"{name}.safetensors", before | dense_layers(random, dense))
    for work in WORKS:
        if work.is_published and not work.weights.exists():
            save(work.weights.name, networks.parameters(networks.nodes(work, INPUT), random))
    for batch in sorted({work.batch for work in WORKS}):
        # The range of a picture less the mean of its channels; features as sparse as behind a ReLU.
        pictures = random.uniform(-120, 140, (batch, 3, INPUT, INPUT))
        features = np.maximum(random.normal(-1, 1, (batch, 512, INPUT // 32, INPUT // 32)), 0)
        for name, values in ((f"pictures_{batch}", pictures), (f"features_{batch}", features)):
            if not (FILES / f"{name}.safetensors").exists():
                save(f"{name}.safetensors", {"input": values.astype(np.float32)})


def shipped():
    """VGG16's features. Those in 8 bits, which are multiples of a scale for each output channel, become f16 as well."""
    stored = load_file(ROOT / "weights" / "vgg16_base.safetensors")

    def values(name, numbers):
        if numbers.dtype == np.int8:
            numbers = numbers * stored[f"{name}.scale"][:, None, None, None]
        return numbers.astype(np.float16)

    return {name: values(name, numbers) for name, numbers in stored.items() if not name.endswith(".scale")}


def dense_layers(random, widths):
    layers, inputs = {}, 512 * (INPUT // 32) ** 2
    for i, outputs in enumerate(widths):
        weight = random.standard_normal((outputs, inputs), dtype=np.float32) * np.float32(np.sqrt(2 / inputs))
        layers[f"classifier.{3 * i}.weight"] = weight.astype(np.float16)
        layers[f"classifier.{3 * i}.bias"] = np.zeros(outputs, np.float16)
        inputs = outputs
    return layers


def save(name, tensors):
    save_file(tensors, FILES / f"{name}.part")
    (FILES / f"{name}.part").rename(FILES / name)


def load(path):
    """Tensors of a file as f32."""
    return {name: np.ascontiguousarray(values, np.float32) for name, values in load_file(path).items()}


if __name__ == "__main__":
    main()
