"""Golden outputs of networks with trained weights on one photo, computed with PyTorch in float64 from the stored weights.
examples/verify_networks.rs compares with them.

Input: photos/astronaut_face_224.png. networks/imagenet_logits.safetensors has the 1000 logits, without softmax, of

    mobilenet_v2            torchvision's; RGB, (x / 255 - mean) / deviation with mean .485, .456, .406 and deviation .229, .224, .225
    efficientnet_lite0      efficientnet-lite-pytorch's; the same input
    efficientnet_lite0_127  the same weights; RGB, (x - 127) / 128, as TensorFlow's original of the weights

The package's description names the first for all its networks, but Lite0's weights want the second: over a few photos the variances of the
stem's outputs are 1.2 times the running ones with it (median of the channels), 5.7 times with the first.

networks/face_mobilenet_features.safetensors has, of the MobileNetV1 that knows faces (weights in f16, BGR minus 103.939, 116.779, 123.68),

    mean                    [1, 1024] after the last convolution, averaged over rows and columns
    feats                   [1, 256] after the dense layer `feats` and ReLU

Run in this folder: python make_imagenet_goldens.py FOLDER, which holds mobilenet_v2.pth, efficientnet_lite0.pth and face_mobilenet.safetensors
(needs torch, torchvision, efficientnet-lite-pytorch, numpy, pillow, safetensors).
"""
import sys, numpy as np, torch, torchvision
from efficientnet_lite_pytorch import EfficientNet
from pathlib import Path
from PIL import Image
from safetensors.torch import load_file, save_file
from network_modules import MobileNetV1

folder = Path(sys.argv[1])
rgb = np.asarray(Image.open("../photos/astronaut_face_224.png").convert("RGB"), np.float64)
nchw = lambda a: torch.tensor(a.transpose(2, 0, 1)[None].copy())
usual, tensorflow = nchw((rgb / 255 - [.485, .456, .406]) / [.229, .224, .225]), nchw((rgb - 127) / 128)
caffe = nchw(rgb[:, :, ::-1] - [103.939, 116.779, 123.68])

def weights(net, name):
    net.load_state_dict(torch.load(folder / f"{name}.pth", weights_only=True))
    return net.double().eval()

with torch.no_grad():
    v2 = weights(torchvision.models.mobilenet_v2(), "mobilenet_v2")
    lite = weights(EfficientNet.from_name("efficientnet-lite0"), "efficientnet_lite0")
    logits = {"mobilenet_v2": v2(usual), "efficientnet_lite0": lite(usual), "efficientnet_lite0_127": lite(tensorflow)}
    face = load_file(folder / "face_mobilenet.safetensors")
    net = MobileNetV1(256, 7)
    del net.classifier
    net.load_state_dict(face)
    net.double().eval()
    features = {"mean": net.mean(caffe), "feats": net.features(caffe)}
for name, l in logits.items():
    p, c = l.softmax(1)[0].topk(5)
    print(name, "logits", np.round(l[0, :3].tolist(), 4), "best", {k: round(v, 3) for k, v in zip(c.tolist(), p.tolist())})
for name, f in features.items():
    print(name, f.shape, "zero:", int((f == 0).sum()), "largest:", f.max().item())
for name, tensors in (("imagenet_logits", logits), ("face_mobilenet_features", features)):
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, f"networks/{name}.safetensors")
