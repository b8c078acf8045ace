"""The networks whose golden outputs make_network_goldens.py calculates, where no package has them.

All take NCHW images but for the two transformers. Dropout and drop-path have probability 0 and are left out.

SEBasicBlock is torchvision's BasicBlock, with squeeze-and-excitation between bn2 and the addition:

    s = sigmoid(se.fc2(relu(se.fc1(mean of y over rows and columns))))      fc1: C -> C / 16, fc2: C / 16 -> C, no biases
    y = relu(y * s + shortcut)

MobileNetV1 has no batch norm: every convolution has a bias and is followed by ReLU6.

    x = conv1(x)                            3 -> 32, 3x3, stride 2
    for i in 1..=13: x = pw{i}(dw{i}(x))    dw: depthwise 3x3, stride 2 for i = 2, 4, 6, 12; pw: 1x1
    y = relu(feats(mean of x over rows and columns))
    logits = classifier(y)

Its padding is TensorFlow's SAME: at stride 1 one pixel on all sides; at stride 2 (even sizes) one row below and one column right.

Attention on tokens, with `heads` heads of d = C / heads values. A linear layer is y = x W^T + b, W is [out, in].

    [q | k | v] = qkv(x)                    out is 3 C: first all of q, then k, then v; head h has the values h d .. (h + 1) d of each
    a_h = softmax over the keys of (q_h k_h^T / sqrt(d) + bias_h)
    y = proj(a_0 v_0 | a_1 v_1 | ...)       side by side again

ViTHead, on tokens x [N, 49, 32] with 4 heads and no bias_h, all layer norms over the last dimension with eps 1e-6:

    for each of 2 blocks:
        x = x + attn(norm1(x))
        x = x + mlp.fc2(gelu(mlp.fc1(norm2(x))))        fc1: 32 -> 64, fc2: 64 -> 32, gelu with erf
    logits = head(mean of norm(x) over the tokens)      head: 32 -> 7

CrossAttention is the window cross-attention of POSTER V2 (Mao et al. 2023, arXiv 2301.12149), whose public code takes its attention
from GC ViT (Hatamizadeh et al. 2022, arXiv 2206.09959). Landmark features ask, image features answer. Both are
[N, 16, 14, 14]; channels go last, [N, 14, 14, 16], for all of this, and back at the end.

    l, i = norm_landmark(landmark), norm_image(image)   layer norm over the channels, eps 1e-5
    cut both into windows of 7x7: [N, 2, 2, 49, 16]; window (r, c) has rows 7r .. 7r + 7 and columns 7c .. 7c + 7, its tokens are in row order
    q = q(l)                                            16 -> 16 with bias
    [k | v] = kv(i)                                     16 -> 32 with bias: first all of k, then v
    y = attention within each window as above, 4 heads of 4 values, with
        bias_h[t, u] = relative_position_bias_table[(row_t - row_u + 6) * 13 + (column_t - column_u + 6), h]
        where t is the query's token, u the key's, and row and column are those within the window; the table is [169, 4]
    x = image + proj(y)                                 windows put back in place; the image before its norm, as in the paper
    x = x + mlp.fc2(gelu(mlp.fc1(norm2(x))))            fc1: 16 -> 64, fc2: 64 -> 16, gelu with erf; norm2 eps 1e-5
    logits = classifier(mean of x over rows and columns)     16 -> 7; only so that there is a loss

Where the public code differs: it adds the normalised image instead of the image, scales both branches (gamma1, gamma2) and has drop-path;
it uses the landmark features as queries as they are, without norm_landmark and q; and its windows are as large as its maps.
"""
import torch, torch.nn as nn, torch.nn.functional as F
from torchvision.models.resnet import BasicBlock, ResNet

class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, channels // 16, bias=False), nn.Linear(channels // 16, channels, bias=False)
    def forward(self, x):
        return x * self.fc2(F.relu(self.fc1(x.mean((2, 3))))).sigmoid()[:, :, None, None]

class SEBasicBlock(BasicBlock):
    def __init__(self, inplanes, planes, *args, **kwargs):
        super().__init__(inplanes, planes, *args, **kwargs)
        self.se = SqueezeExcitation(planes)
    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))

def se_resnet18(classes):
    return ResNet(SEBasicBlock, [2, 2, 2, 2], num_classes=classes)

class MobileNetV1(nn.Module):
    WIDTHS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    def __init__(self, features, classes):
        super().__init__()
        self.conv1, c = nn.Conv2d(3, 32, 3, 2), 32
        for i, width in enumerate(self.WIDTHS, 1):
            self.add_module(f"dw{i}", nn.Conv2d(c, c, 3, 2 if i in (2, 4, 6, 12) else 1, groups=c))
            self.add_module(f"pw{i}", nn.Conv2d(c, width, 1))
            c = width
        self.feats, self.classifier = nn.Linear(c, features), nn.Linear(features, classes)
    def same(self, conv, x):
        assert conv.stride == (1, 1) or (x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0)
        return F.relu6(conv(F.pad(x, (1, 1, 1, 1) if conv.stride == (1, 1) else (0, 1, 0, 1))))
    def mean(self, x):
        x = self.same(self.conv1, x)
        for i in range(1, len(self.WIDTHS) + 1):
            x = F.relu6(getattr(self, f"pw{i}")(self.same(getattr(self, f"dw{i}"), x)))
        return x.mean((2, 3))
    def features(self, x):
        return F.relu(self.feats(self.mean(x)))
    def forward(self, x):
        return self.classifier(self.features(x))

class MobileNetV1Short(MobileNetV1):
    WIDTHS = MobileNetV1.WIDTHS[:-1]
    def __init__(self, classes):
        super().__init__(1, classes)
        del self.feats
        self.classifier = nn.Linear(self.WIDTHS[-1], classes)
    def forward(self, x):
        return self.classifier(self.mean(x))

def attend(q, k, v, heads, bias=0):
    """q, k, v: [..., tokens, C]; bias: [heads, tokens, tokens]."""
    split = lambda t: t.unflatten(-1, (heads, -1)).transpose(-2, -3)
    q, k, v = split(q), split(k), split(v)
    a = (q @ k.transpose(-1, -2) / q.shape[-1] ** .5 + bias).softmax(-1)
    return (a @ v).transpose(-2, -3).flatten(-2)

class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))

class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
    def forward(self, x):
        return self.proj(attend(*self.qkv(x).chunk(3, -1), self.heads))

class Block(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Mlp(width, ratio * width)
    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))

class ViTHead(nn.Module):
    def __init__(self, width=32, heads=4, blocks=2, ratio=2, classes=7):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, ratio) for _ in range(blocks)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)
    def forward(self, x):
        return self.head(self.norm(self.blocks(x)).mean(1))

class CrossAttention(nn.Module):
    def __init__(self, width=16, window=7, heads=4, ratio=4, classes=7):
        super().__init__()
        self.window, self.heads = window, heads
        self.norm_landmark, self.norm_image = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.kv, self.proj = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.norm2, self.mlp = nn.LayerNorm(width), Mlp(width, ratio * width)
        self.classifier = nn.Linear(width, classes)
    def bias(self):
        row, column = (t.flatten() for t in torch.meshgrid(torch.arange(self.window), torch.arange(self.window), indexing="ij"))
        between = lambda t: t[:, None] - t[None, :] + self.window - 1
        return self.relative_position_bias_table[between(row) * (2 * self.window - 1) + between(column)].permute(2, 0, 1)
    def cut(self, x):  # [N, H, W, C] -> [N, H / w, W / w, w w, C]
        return x.unflatten(2, (-1, self.window)).unflatten(1, (-1, self.window)).transpose(2, 3).flatten(3, 4)
    def put_back(self, x):
        return x.unflatten(3, (self.window, self.window)).transpose(2, 3).flatten(1, 2).flatten(2, 3)
    def block(self, landmark, image):
        landmark, image = landmark.permute(0, 2, 3, 1), image.permute(0, 2, 3, 1)
        q = self.q(self.cut(self.norm_landmark(landmark)))
        k, v = self.kv(self.cut(self.norm_image(image))).chunk(2, -1)
        x = image + self.put_back(self.proj(attend(q, k, v, self.heads, self.bias())))
        return (x + self.mlp(self.norm2(x))).permute(0, 3, 1, 2)
    def forward(self, landmark, image):
        return self.classifier(self.block(landmark, image).mean((2, 3)))
