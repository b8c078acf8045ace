"""Golden outputs of the operations that newer networks need, computed with PyTorch in float64 and stored as float32.

As in make_golden.py: one file per operation with the tensors "<case>.<tensor>" and the cases' parameters. A case holds the
operation's inputs, its output `y`, a random `dy`, and the gradient `d<input>` of sum(y * dy) for each input.
Run in this folder: python make_operations.py (needs torch, safetensors).

    activation            x; function, and min and max (clip) or slope (leaky_relu)
    add, mul              a, b, broadcast as NumPy does
    batch_norm2d          x, weight, bias, running_mean, running_var; training, eps, momentum. In training also mean and var (biased)
                          of the batch and new_running_mean, new_running_var = (1 - momentum) * old + momentum * (var unbiased)
    conv2d_groups         x, weight [out, in / groups, kh, kw], bias unless "bias" is false; groups, stride and dilation [h, w],
                          padding [top, left, bottom, right] with zeros
    avg_pool2d            x; kernel, stride, padding [h, w], count_include_pad, ceil_mode
    upsample              x; mode, size [h, w], align_corners
    concat                a, b, c; dim
    slice                 x; dim, start, end
    pad                   x; padding [[begin, end] of each dimension], value
    transpose             x; permutation (y's dimension i is x's permutation[i])
    reduce_mean           x; dims, keepdim
    layer_norm            x, weight, bias; shape of the dimensions that are normalised, eps
    matmul                a, b; transpose_a, transpose_b: whether the last two dimensions of the stored input are exchanged first
    softmax_dim           x; dim
    unary                 x; function, and alpha (elu) or exponent (pow)
    masked_fill           x, mask; value
    max_pool2d_windows    x; kernel, stride, padding [h, w], ceil_mode
    mse_loss              pred, target; mean over all: loss, dpred
    binary_cross_entropy  logits, target in 0..1; mean over all: loss, dlogits
"""
import torch, torch.nn.functional as F
from golden import q, rng, write

class File:
    def __init__(self, op, seed):
        self.op, self.seed, self.cases, self.tensors = op, seed, {}, {}

    def random(self):
        self.seed += 1
        return rng(self.seed)

    def add(self, name, parameters, inputs, function, more={}):
        """Calculates `y` and the gradients of all inputs."""
        assert name not in self.cases, name
        inputs = {k: q(v).clone().requires_grad_() for k, v in inputs.items()}
        y = function(*inputs.values())
        dy = q(rng(self.seed + 50)(y.numel()).reshape(y.shape))
        y.backward(dy)
        self.cases[name] = parameters
        found = inputs | {"y": y, "dy": dy} | {f"d{k}": v.grad for k, v in inputs.items()} | more
        self.tensors |= {f"{name}.{k}": v for k, v in found.items()}

    def write(self):
        write(self.op, self.cases, self.tensors)

def shape_name(*shapes):
    return "_".join("x".join(map(str, s)) for s in shapes)

# activations -------------------------------------------------------------------------------------------
f = File("activation", 1000)
functions = {
    "relu": (F.relu, {}), "relu6": (F.relu6, {}), "clip": (lambda x: x.clamp(-.5, 1.5), dict(min=-.5, max=1.5)),
    "leaky_relu": (lambda x: F.leaky_relu(x, .1), dict(slope=.1)), "sigmoid": (torch.sigmoid, {}), "hardswish": (F.hardswish, {}),
    "silu": (F.silu, {}), "gelu": (F.gelu, {}), "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), {})}
for name, (function, parameters) in functions.items():
    r = f.random()
    x = torch.linspace(-8, 8, 189, dtype=torch.float64)[r(189).argsort()].reshape(1, 3, 9, 7)
    for kink in (-3, -.5, 0, 1.5, 3, 6):  # the slope at a kink is anyone's choice
        x = torch.where((x - kink).abs() < .01, x + .02, x)
    f.add(name, dict(function=name) | parameters, dict(x=x), function)
f.write()

# two tensors -------------------------------------------------------------------------------------------
for op, function, seed in [("add", torch.add, 1100), ("mul", torch.mul, 1200)]:
    f = File(op, seed)
    for a, b in [((2, 3, 5, 4), (2, 3, 5, 4)), ((2, 6, 5, 4), (2, 6, 1, 1)), ((2, 6, 5, 4), (6, 1, 1)), ((3, 4, 7), (7,)), ((2, 1, 5), (1, 4, 1)), ((7,), (1,)), ((1, 1), (3, 5))]:
        r = f.random()
        f.add(shape_name(a, b), {}, dict(a=r(*a), b=r(*b)), lambda a, b: function(a, b))
    f.write()

f = File("matmul", 1300)
for a, b, ta, tb in [
        ((4, 5), (5, 6), False, False), ((2, 3, 4, 5), (2, 3, 5, 6), False, False), ((2, 3, 5, 4), (2, 3, 5, 6), True, False),
        ((2, 3, 4, 5), (2, 3, 6, 5), False, True), ((2, 3, 5, 4), (2, 3, 6, 5), True, True), ((4, 5), (2, 5, 6), False, False),
        ((2, 5, 6), (6, 3), False, False), ((2, 1, 4, 5), (3, 6, 5), False, True), ((1, 1, 1), (1, 1, 1), False, False), ((2, 17, 33), (2, 33, 9), False, False)]:
    r = f.random()
    f.add(shape_name(a, b) + ("ta" if ta else "") + ("tb" if tb else ""), dict(transpose_a=ta, transpose_b=tb), dict(a=r(*a), b=r(*b)),
          lambda a, b: (a.transpose(-1, -2) if ta else a) @ (b.transpose(-1, -2) if tb else b))
f.write()

# normalisation -----------------------------------------------------------------------------------------
f = File("batch_norm2d", 1400)
for shape, training, eps, momentum, offset in [
        ((2, 6, 7, 5), True, 1e-5, .1, 0), ((3, 5, 3, 4), True, 1e-3, .01, 0), ((5, 3, 1, 1), True, 1e-5, .1, 0), ((1, 4, 5, 3), True, 1e-5, .1, 0),
        ((2, 3, 4, 7), True, 1e-5, .1, 30), ((2, 6, 7, 5), False, 1e-5, .1, 0), ((1, 5, 3, 1), False, 1e-3, .01, 0)]:
    r = f.random()
    c = shape[1]
    x, weight, bias = q(r(*shape) * (1 + r(c).abs())[:, None, None] + r(c)[:, None, None] + offset), r(c) * .5 + 1, r(c)
    running_mean, running_var = q(r(c) + offset), q(r(c).abs() + .5)
    new_mean, new_var = running_mean.clone(), running_var.clone()
    more = dict(running_mean=running_mean, running_var=running_var)
    if training:
        more |= dict(mean=x.mean((0, 2, 3)), var=x.var((0, 2, 3), unbiased=False), new_running_mean=new_mean, new_running_var=new_var)
    name = shape_name(shape) + ("" if training else "eval") + (f"offset{offset}" if offset else "")
    f.add(name, dict(training=training, eps=eps, momentum=momentum), dict(x=x, weight=weight, bias=bias),
          lambda x, weight, bias: F.batch_norm(x, new_mean, new_var, weight, bias, training, momentum, eps), more)
f.write()

f = File("layer_norm", 1500)
for shape, last, eps in [((2, 5, 7), 1, 1e-5), ((3, 33), 1, 1e-6), ((2, 3, 4, 5), 2, 1e-5), ((1, 2, 1, 6), 2, 1e-3)]:
    r = f.random()
    s = shape[-last:]
    f.add(f"{shape_name(shape)}last{last}", dict(shape=list(s), eps=eps), dict(x=r(*shape) * 2 + 1, weight=r(*s) * .5 + 1, bias=r(*s)),
          lambda x, weight, bias: F.layer_norm(x, s, weight, bias, eps))
f.write()

# convolutions ------------------------------------------------------------------------------------------
f = File("conv2d_groups", 1600)
for n, c, h, w, o, kernel, groups, stride, dilation, padding, has_bias in [
        (2, 6, 7, 5, 6, (3, 3), 6, (1, 1), (1, 1), (1, 1, 1, 1), True), (2, 5, 9, 6, 5, (3, 3), 5, (2, 2), (1, 1), (1, 1, 1, 1), True),
        (1, 4, 8, 6, 4, (3, 3), 4, (2, 2), (1, 1), (0, 0, 1, 1), False), (1, 3, 7, 9, 3, (5, 5), 3, (1, 1), (1, 1), (2, 2, 2, 2), False),
        (1, 3, 9, 8, 3, (5, 5), 3, (2, 2), (1, 1), (1, 1, 2, 2), True), (2, 6, 5, 7, 4, (3, 3), 2, (1, 1), (1, 1), (1, 1, 1, 1), True),
        (1, 8, 4, 3, 6, (1, 1), 2, (1, 1), (1, 1), (0, 0, 0, 0), False), (2, 4, 6, 5, 8, (3, 3), 4, (1, 1), (1, 1), (1, 1, 1, 1), True),
        (1, 3, 9, 7, 4, (3, 3), 1, (1, 1), (2, 2), (2, 2, 2, 2), True), (1, 4, 9, 8, 4, (3, 3), 4, (1, 1), (2, 2), (2, 2, 2, 2), False),
        (2, 3, 6, 8, 5, (3, 3), 1, (2, 2), (1, 1), (0, 0, 1, 1), True), (1, 3, 5, 6, 4, (3, 3), 1, (1, 1), (1, 1), (1, 0, 2, 3), False),
        (1, 2, 7, 6, 4, (1, 3), 2, (1, 2), (1, 1), (0, 1, 0, 1), True), (1, 3, 8, 9, 2, (3, 2), 1, (2, 1), (1, 3), (1, 0, 0, 2), True),
        (1, 5, 3, 4, 6, (1, 1), 1, (1, 1), (1, 1), (0, 0, 0, 0), False), (1, 1, 1, 1, 1, (3, 3), 1, (1, 1), (1, 1), (1, 1, 1, 1), False)]:
    r = f.random()
    t, l, b, rt = padding
    pair = lambda p: "x".join(map(str, p))
    name = f"n{n}c{c}h{h}w{w}o{o}k{pair(kernel)}g{groups}s{pair(stride)}d{pair(dilation)}p{pair(padding)}{'' if has_bias else 'nobias'}"
    inputs = dict(x=r(n, c, h, w), weight=r(o, c // groups, *kernel) * (2 / (c // groups * kernel[0] * kernel[1])) ** .5)
    if has_bias:
        inputs["bias"] = r(o)
    f.add(name, dict(groups=groups, stride=stride, dilation=dilation, padding=padding, bias=has_bias), inputs,
          lambda x, weight, bias=None: F.conv2d(F.pad(x, (l, rt, t, b)), weight, bias, stride, 0, dilation, groups))
f.write()

# places ------------------------------------------------------------------------------------------------
f = File("avg_pool2d", 1700)
for shape, kernel, stride, padding in [
        ((2, 3, 7, 5), (3, 3), (2, 2), (1, 1)), ((1, 2, 8, 6), (2, 2), (2, 2), (0, 0)), ((1, 3, 5, 6), (2, 3), (1, 2), (1, 0)), ((1, 4, 3, 4), (3, 4), (1, 1), (0, 0))]:
    for include in (True, False):
        for ceil in (False, True):
            r = f.random()
            name = f"{shape_name(shape)}k{shape_name(kernel)}s{shape_name(stride)}p{shape_name(padding)}{'include' if include else ''}{'ceil' if ceil else ''}"
            f.add(name, dict(kernel=kernel, stride=stride, padding=padding, count_include_pad=include, ceil_mode=ceil), dict(x=r(*shape)),
                  lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, include))
f.write()

f = File("upsample", 1800)
for mode, corners in [("nearest", None), ("bilinear", False), ("bilinear", True)]:
    for shape, size in [((2, 3, 4, 3), (8, 6)), ((1, 2, 3, 5), (7, 8)), ((1, 2, 6, 7), (4, 5)), ((1, 2, 3, 1), (1, 3))]:
        r = f.random()
        name = f"{mode}{'corners' if corners else ''}{shape_name(shape)}to{shape_name(size)}"
        f.add(name, dict(mode=mode, size=size, align_corners=bool(corners)), dict(x=r(*shape)), lambda x: F.interpolate(x, size, mode=mode, align_corners=corners))
        if mode == "nearest":  # whole numbers say the same
            rows, columns = (torch.arange(o) * i // o for i, o in zip(shape[2:], size))
            assert torch.equal(f.tensors[f"{name}.y"], f.tensors[f"{name}.x"][:, :, rows][:, :, :, columns])
f.write()

f = File("concat", 1900)
for shapes, dim in [(((2, 3, 4, 5), (2, 1, 4, 5), (2, 6, 4, 5)), 1), (((2, 3, 4, 5), (2, 3, 1, 5), (2, 3, 2, 5)), 2), (((1, 7), (1, 2), (1, 9)), 1), (((2, 3), (1, 3), (4, 3)), 0)]:
    r = f.random()
    f.add(f"{shape_name(*shapes)}dim{dim}", dict(dim=dim), {k: r(*s) for k, s in zip("abc", shapes)}, lambda a, b, c: torch.cat([a, b, c], dim))
f.write()

f = File("slice", 2000)
for shape, dim, start, end in [((2, 6, 5, 4), 1, 2, 5), ((2, 6, 5, 4), 0, 1, 2), ((2, 3, 7, 5), 2, 0, 3), ((2, 3, 4, 9), 3, 4, 9), ((11,), 0, 3, 4), ((2, 3, 5), 2, 0, 5)]:
    r = f.random()
    f.add(f"{shape_name(shape)}dim{dim}from{start}to{end}", dict(dim=dim, start=start, end=end), dict(x=r(*shape)), lambda x: x.narrow(dim, start, end - start))
f.write()

f = File("pad", 2100)
for shape, padding, value in [
        ((2, 3, 4, 5), ((0, 0), (0, 0), (1, 1), (1, 1)), 0.), ((2, 3, 4, 5), ((0, 0), (0, 0), (0, 1), (2, 0)), -1.5), ((1, 3, 2, 3), ((1, 0), (2, 3), (0, 2), (1, 1)), 7.),
        ((5,), ((2, 1),), 0.), ((2, 3), ((0, 0), (0, 0)), 1.)]:
    r = f.random()
    f.add(f"{shape_name(shape)}pad{shape_name(*padding)}value{value}", dict(padding=padding, value=value), dict(x=r(*shape)),
          lambda x: F.pad(x, [n for pair in reversed(padding) for n in pair], value=value))
f.write()

f = File("transpose", 2200)
for shape, permutation in [((2, 3, 4, 5), (0, 2, 3, 1)), ((2, 3, 4, 5), (0, 3, 1, 2)), ((2, 3, 4, 5), (3, 2, 1, 0)), ((2, 3, 4, 5), (0, 2, 1, 3)), ((3, 7), (1, 0)), ((2, 5, 3), (0, 2, 1)), ((2, 5, 3), (0, 1, 2)), ((1, 2, 3, 2, 2, 3), (0, 1, 3, 5, 2, 4))]:
    r = f.random()
    f.add(f"{shape_name(shape)}to{''.join(map(str, permutation))}", dict(permutation=permutation), dict(x=r(*shape)), lambda x: x.permute(permutation))
f.write()

f = File("reduce_mean", 2300)
for shape, dims, keep in [((2, 6, 7, 5), (2, 3), True), ((2, 6, 7, 5), (2, 3), False), ((2, 9, 5), (1,), False), ((2, 9, 5), (1,), True), ((3, 4, 5, 2), (0, 1, 2, 3), False), ((3, 4, 5, 2), (0, 1, 2, 3), True), ((4, 3, 5), (0, 2), False), ((2, 3, 1), (2,), False)]:
    r = f.random()
    f.add(f"{shape_name(shape)}over{''.join(map(str, dims))}{'keep' if keep else ''}", dict(dims=dims, keepdim=keep), dict(x=r(*shape)), lambda x: x.mean(dims, keep))
f.write()

f = File("softmax_dim", 2400)
for shape, scale in [((3, 4, 5), 1), ((2, 7, 1), 3), ((2, 3, 33), 30)]:
    for dim in range(3):
        r = f.random()
        f.add(f"{shape_name(shape)}scale{scale}dim{dim}", dict(dim=dim), dict(x=r(*shape) * scale), lambda x: x.softmax(dim))
f.write()

# elementary functions ----------------------------------------------------------------------------------
f = File("unary", 2700)
positive, any_sign = torch.linspace(.03, 9, 189, dtype=torch.float64), torch.linspace(-9, 9, 189, dtype=torch.float64)
halves = torch.cat([torch.arange(-6, 6.5, .5, dtype=torch.float64), any_sign[:164]])  # 2.5 becomes 2, as 1.5 does
functions = {
    "abs": (torch.abs, any_sign, {}), "sqrt": (torch.sqrt, positive, {}), "reciprocal": (torch.reciprocal, positive + .2, {}),
    "exp": (torch.exp, any_sign, {}), "log": (torch.log, positive, {}), "sin": (torch.sin, any_sign, {}), "cos": (torch.cos, any_sign, {}),
    "tanh": (torch.tanh, any_sign, {}), "tanh_near_0": (torch.tanh, any_sign / 100, {}), "erf": (torch.erf, any_sign, {}),
    "erf_near_0": (torch.erf, any_sign / 100, {}), "floor": (torch.floor, halves, {}), "ceil": (torch.ceil, halves, {}), "round": (torch.round, halves, {}),
    "sign": (torch.sign, halves, {}), "elu": (lambda x: F.elu(x, 1.5), any_sign, dict(alpha=1.5)), "softplus": (F.softplus, any_sign, {}),
    "softsign": (F.softsign, any_sign, {}), "pow": (lambda x: x.pow(1.7), positive, dict(exponent=1.7)),
    "pow_below_0": (lambda x: x.pow(-.5), positive + .2, dict(exponent=-.5)), "pow_odd": (lambda x: x.pow(3.), any_sign, dict(exponent=3.))}
for name, (function, x, parameters) in functions.items():
    r = f.random()
    f.add(name, dict(function=name.split("_")[0]) | parameters, dict(x=x[r(189).argsort()].reshape(3, 9, 7)), function)
f.write()

f = File("masked_fill", 2900)
for shape, mask, value in [((2, 3, 5, 4), (2, 3, 5, 4), -1.5), ((2, 3, 7, 7), (7, 7), 0.), ((2, 6, 5), (2, 1, 1), 7.)]:
    r = f.random()
    mask = (r(*mask) > 0).double()
    f.add(shape_name(shape, mask.shape), dict(value=value), dict(x=r(*shape)), lambda x: x.masked_fill(mask > 0, value), dict(mask=mask))
f.write()

f = File("max_pool2d_windows", 2800)
for shape, kernel, stride, padding in [
        ((2, 3, 7, 5), (3, 2), (2, 1), (1, 0)), ((1, 2, 8, 6), (1, 3), (1, 2), (0, 1)), ((1, 3, 5, 9), (2, 4), (3, 3), (1, 2)), ((1, 4, 6, 4), (6, 1), (1, 1), (0, 0))]:
    for ceil in (False, True):
        r = f.random()
        name = f"{shape_name(shape)}k{shape_name(kernel)}s{shape_name(stride)}p{shape_name(padding)}{'ceil' if ceil else ''}"
        f.add(name, dict(kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil), dict(x=r(*shape)),
              lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil))
f.write()

# losses ------------------------------------------------------------------------------------------------
f = File("mse_loss", 2500)
for shape in [(1, 1), (32, 7), (2, 3, 5, 4)]:
    r, name = f.random(), shape_name(shape)
    p, t = q(r(*shape)).requires_grad_(), q(r(*shape))
    loss = F.mse_loss(p, t)
    loss.backward()
    f.cases[name] = {}
    f.tensors |= {f"{name}.pred": p, f"{name}.target": t, f"{name}.loss": loss.reshape(1), f"{name}.dpred": p.grad}
f.write()

f = File("binary_cross_entropy", 2600)
for shape, scale in [((1, 1), 1), ((32, 7), 3), ((4, 12), 60)]:
    r, name = f.random(), f"{shape_name(shape)}scale{scale}"
    logits = q(r(*shape) * scale).requires_grad_()
    t = q((r(*shape) * 2).sigmoid())
    t.view(-1)[::3] = (r(t.view(-1)[::3].numel()) > 0).double()  # whole labels among the soft ones
    loss = F.binary_cross_entropy_with_logits(logits, t)
    loss.backward()
    f.cases[name] = {}
    f.tensors |= {f"{name}.logits": logits, f"{name}.target": t, f"{name}.loss": loss.reshape(1), f"{name}.dlogits": logits.grad}
f.write()
