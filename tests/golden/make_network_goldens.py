"""Golden outputs of whole networks, computed with PyTorch in float64 and stored as float32: networks/<name>.safetensors.

Neither parameters nor inputs are stored: both come from a generator that counts, which takes a text and an index.

    seed(text) = FNV-1a, 64 bits, of its UTF-8 bytes
    word(text, i) = splitmix64's finaliser of (seed(text) + (i + 1) * 0x9E3779B97F4A7C15) modulo 2^64
    uniform(text, i) = (word(text, i) >> 40) / 2^24 * 2 - 1         in f64, where it is exact: -1 <= uniform < 1

A parameter has the name it has in PyTorch's state_dict, which is the text; i is the index in row-major order:

    four dimensions          uniform * sqrt(6 / fan_in)      fan_in: the product of all dimensions but the first
    two or three             uniform * sqrt(3 / fan_in)
    running_var              1 + 0.5 * uniform
    running_mean, bias       0.1 * uniform
    weight of one dimension  1 + 0.2 * uniform

calculated in f64 and rounded to f32. An input of step s = 1, 2, ... is 1.5 * uniform("input {s}", i), rounded likewise (cross_attention has
"landmark {s}" and "image {s}"); the class of the image i is word("target {s}", i) modulo the number of classes.

Tensors of a file:

    eval_logits        of input f ("first" in the metadata, mostly 1) with the running statistics, before any training
    logits, loss       of input f in training, and the mean cross entropy with target f
    gradient_norms     [parameters]: the norm of each parameter's gradient of this loss, in the order of "parameters" in the metadata
    gradient_sketches  [parameters, 16]: for k in 0..16 the sum over i of sign(k, i) * gradient_i, where sign is -1 if the top bit of
                       word("sketch {k}", i) is set, else 1
    after.<buffer>     the first 8 values of the running statistics of the first and the last batch norm after this one step
    losses_sgd,        of 20 training steps from the start, each before the step's update: step s takes input and target
    losses_adamw       (s - 1) mod 4 + 1. SGD with momentum; all parameters decay, none of the statistics

ReLU has a kink: where an activation is within rounding errors of it, its part of the gradient is there or not. Of millions of activations a few
are, and one of them in a late layer changes gradients by some thousandths. So "float32" in the metadata says how far PyTorch's own float32 is
away, the worse of two ways to convolve: `gradient`, the norm of the difference of all gradients by the norm of all; `sgd` and `adamw`, the
largest difference of a loss. Learning rates are small enough for float32 to follow within 1e-4; at still smaller ones it rounds the updates
away. The bias of a batch norm that only a convolution and another batch norm follow has no gradient: what is stored are rounding errors.

The metadata's "cases" has for the network's name: input shapes, classes, batch norm's eps and momentum (PyTorch's: the weight of the new
value), the optimisers' settings and the parameters' names.

Run in this folder: python make_network_goldens.py [name ...] (needs torch, torchvision, efficientnet-lite-pytorch, numpy, safetensors).
"""
import json, os, sys, numpy as np, torch, torch.nn as nn, torch.nn.functional as F, torchvision
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from network_modules import CrossAttention, MobileNetV1, MobileNetV1Short, ViTHead, se_resnet18

CLASSES, STEPS, BATCHES, SKETCHES = 7, 20, 4, 16

# the generator ------------------------------------------------------------------------------------------
def seed(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h

def splitmix64(seed, n):
    z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z ^= z >> np.uint64(30); z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27); z *= np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

def words(text, n):
    return splitmix64(seed(text), n)

def uniform(text, n):
    return (words(text, n) >> np.uint64(40)).astype(np.float64) / 2**24 * 2 - 1

def rounded(values, shape):
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)

def parameter(name, shape):
    u = uniform(name, int(np.prod(shape)))
    if len(shape) > 1:
        return rounded(u * np.sqrt((6 if len(shape) == 4 else 3) / np.prod(shape[1:])), shape)
    if name.endswith("running_var"): return rounded(1 + .5 * u, shape)
    if name.endswith(("running_mean", "bias")): return rounded(.1 * u, shape)
    assert name.endswith("weight"), name
    return rounded(1 + .2 * u, shape)

def fill(net):
    net.load_state_dict({k: v if k.endswith("num_batches_tracked") else parameter(k, tuple(v.shape)) for k, v in net.state_dict().items()})
    return net

assert seed("") == 0xCBF29CE484222325 and seed("a") == 0xAF63DC4C8601EC8C
assert splitmix64(0, 2).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]

# the networks --------------------------------------------------------------------------------------------
IMAGES = {"input": (8, 3, 64, 64)}
NETWORKS = {  # how to make it, its inputs
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=CLASSES), IMAGES),
    "se_resnet18": (lambda: se_resnet18(CLASSES), IMAGES),
    "mobilenet_v1": (lambda: MobileNetV1(1024, CLASSES), IMAGES),
    "mobilenet_v1_feats256": (lambda: MobileNetV1(256, CLASSES), IMAGES),
    "mobilenet_v1_short": (lambda: MobileNetV1Short(CLASSES), IMAGES),
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(num_classes=CLASSES, dropout=0.), IMAGES),
    "efficientnet_lite0": (lambda: EfficientNet.from_name("efficientnet-lite0", num_classes=CLASSES, dropout_rate=0., drop_connect_rate=0., image_size=64), IMAGES),
    "cross_attention": (CrossAttention, {"landmark": (2, 16, 14, 14), "image": (2, 16, 14, 14)}),
    "vit_head": (ViTHead, {"input": (2, 49, 32)})}
SGD, ADAMW = dict(lr=.01, momentum=.9, weight_decay=1e-4), dict(lr=1e-3, betas=(.9, .999), eps=1e-8, weight_decay=.01)
RATES = {  # where float32 would not follow the usual rates: SGD's, AdamW's
    "resnet18": (3e-3, 3e-5), "se_resnet18": (3e-5, 3e-6), "mobilenet_v1": (3e-4, 1e-5), "mobilenet_v1_feats256": (3e-4, 1e-5),
    "mobilenet_v1_short": (3e-4, 1e-5),
    "mobilenet_v2": (3e-7, 3e-7), "efficientnet_lite0": (5e-7, 3e-7)}

def batch(inputs, step, dtype):
    x = [rounded(1.5 * uniform(f"{name} {step}", int(np.prod(shape))), shape).to(dtype) for name, shape in inputs.items()]
    n = next(iter(inputs.values()))[0]
    return x, torch.from_numpy((words(f"target {step}", n) % np.uint64(CLASSES)).astype(np.int64))

# The batch that logits, loss and gradients are of: the first 24 were tried for the one whose activations keep furthest away from the kinks.
FIRST = {"resnet18": 3, "se_resnet18": 2, "mobilenet_v1_short": 21}

def gradients(make, inputs, dtype, first=1):
    net = fill(make().double()).to(dtype).train()
    x, target = batch(inputs, first, dtype)
    F.cross_entropy(net(*x), target).backward()
    return torch.cat([p.grad.reshape(-1).double() for p in net.parameters()])

def in_float32(function):
    """What it gives in float32, with both of PyTorch's ways to convolve."""
    found = []
    for fast in (True, False):
        with torch.backends.mkldnn.flags(enabled=fast): found.append(function(torch.float32))
    return found

def losses(make, inputs, optimizer, settings, dtype):
    net, found = fill(make().double()).to(dtype).train(), []
    o = optimizer(net.parameters(), **settings)
    batches = [batch(inputs, s, dtype) for s in range(1, BATCHES + 1)]
    for step in range(STEPS):
        x, target = batches[step % BATCHES]
        loss = F.cross_entropy(net(*x), target)
        o.zero_grad(); loss.backward(); o.step()
        found.append(loss.item())
    return np.array(found)

def signs(n):
    return np.stack([1 - 2 * (words(f"sketch {k}", n) >> np.uint64(63)).astype(np.int8) for k in range(SKETCHES)])

def golden(name):
    make, inputs = NETWORKS[name]
    net = fill(make().double())
    parameters = dict(net.named_parameters())
    first = FIRST.get(name, 1)
    x, target = batch(inputs, first, torch.float64)
    with torch.no_grad():
        T = {"eval_logits": net.eval()(*x)}
    net.train()
    T["logits"] = net(*x)
    loss = F.cross_entropy(T["logits"], target); loss.backward()
    T["loss"] = loss.reshape(1)
    found = [p.grad.reshape(-1).numpy() for p in parameters.values()]
    sign = signs(max(map(len, found)))
    T["gradient_norms"] = torch.tensor([np.linalg.norm(g) for g in found])
    T["gradient_sketches"] = torch.tensor(np.array([[(g * s[:len(g)]).sum() for s in sign] for g in found]))
    norms = [(k, m) for k, m in net.named_modules() if isinstance(m, nn.BatchNorm2d)]
    about = dict(inputs=inputs, classes=CLASSES, first=first)
    exact = gradients(make, inputs, torch.float64, first)
    error = max(((g - exact).norm() / exact.norm()).item() for g in in_float32(lambda dtype: gradients(make, inputs, dtype, first)))
    about["float32"] = dict(gradient=float(f"{error:.1e}"))
    if norms:
        (eps,), (momentum,) = {m.eps for _, m in norms}, {m.momentum for _, m in norms}
        about |= dict(batch_norm_eps=eps, batch_norm_momentum=momentum)
        for k, m in (norms[0], norms[-1]):
            T |= {f"after.{k}.running_mean": m.running_mean[:8], f"after.{k}.running_var": m.running_var[:8]}
    for kind, optimizer, settings in (("sgd", torch.optim.SGD, SGD), ("adamw", torch.optim.AdamW, ADAMW)):
        if name in RATES: settings = settings | dict(lr=RATES[name][kind == "adamw"])
        wanted = losses(make, inputs, optimizer, settings, torch.float64)
        error = max(np.abs(l - wanted).max() for l in in_float32(lambda dtype: losses(make, inputs, optimizer, settings, dtype)))
        print(name, kind, settings["lr"], "losses", np.round(wanted[[0, 1, 4, 9, 19]], 4), f"float32 differs by {error:.1e}", "" if error < 1e-4 else "TOO MUCH", flush=True)
        about["float32"][kind] = float(f"{error:.1e}")
        T[f"losses_{kind}"] = torch.tensor(wanted)
        about[kind] = settings
    about["parameters"] = list(parameters)
    os.makedirs("networks", exist_ok=True)
    save_file({k: v.detach().float().contiguous().clone() for k, v in T.items()}, f"networks/{name}.safetensors", metadata={"cases": json.dumps({name: about})})
    print(name, sum(p.numel() for p in parameters.values()), "parameters,", len(parameters), "tensors; logits", np.round(T["logits"][0].tolist(), 3), "eval", np.round(T["eval_logits"][0].tolist(), 3), about["float32"], flush=True)

if __name__ == "__main__":
    for name in sys.argv[1:] or NETWORKS:
        golden(name)
