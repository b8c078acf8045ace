"""What is measured: works, and the command that runs a work on a peer. Imports nothing large: the memory of a process counts
from that of the one that started it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FILES = ROOT / "target" / "peers"
THREADS = len(os.sched_getaffinity(0))

INPUT = 224
# classifier.0, classifier.3, ...: outputs of the dense layers.
IMAGENET = [4096, 4096, 1000]
HEAD = [256, 7]
PUBLISHED = ("resnet18", "mobilenet_v2", "efficientnet_lite0")


@dataclass(frozen=True)
class Work:
    """A network on a batch. What a run is: forward or, where something is trained, a whole training step: forward,
    cross entropy, backward, SGD with momentum 0.9 at a learning rate of 0 (so that every run gives the same)."""

    name: str
    network: str  # base, whole, a network of the literature; head, block5, all: what is trained of VGG16
    batch: int
    runs: int  # per process, behind two that do not count; one on software adapters
    cpu: tuple = ()
    vulkan: tuple = ()
    on_software: bool = True  # whether software adapters run it; they take minutes for the others

    @property
    def trains(self):
        return self.network in ("head", "block5", "all")

    @property
    def is_published(self):
        return self.network in PUBLISHED

    @property
    def classes(self):
        return IMAGENET[-1]

    @property
    def dense(self):
        return {"base": [], "whole": IMAGENET}.get(self.network, HEAD)

    @property
    def weights(self):
        return FILES / f"{self.network}.safetensors"

    @property
    def feed(self):
        return FILES / f"{'features' if self.network == 'head' else 'pictures'}_{self.batch}.safetensors"


ALL_CPU = ("vultus", "ncnn", "onnxruntime", "pytorch", "burn")
ALL_VULKAN = ("vultus", "ncnn", "ncnn-direct", "burn", "wonnx")
WORKS = [
    Work("base, batch 1", "base", 1, 5, ALL_CPU, ALL_VULKAN),
    Work("base, batch 8", "base", 8, 2, ALL_CPU, ALL_VULKAN, on_software=False),
    Work("with dense layers, batch 1", "whole", 1, 5, ALL_CPU, ("vultus", "ncnn", "burn", "wonnx"), on_software=False),
    *(
        Work(f"{network}, batch {batch}", network, batch, runs, ("vultus", "ncnn", "onnxruntime"), ("vultus", "ncnn"), on_software=batch == 1)
        for network in PUBLISHED
        for batch, runs in ((1, 20), (8, 5))
    ),
    Work("training the head, batch 32", "head", 32, 10, ("vultus", "pytorch", "burn"), ("vultus", "burn")),
    Work("training from block5 on, batch 8", "block5", 8, 2, ("vultus", "pytorch")),
    Work("training all, batch 2", "all", 2, 2, ("vultus", "pytorch")),
]


def command(peer, work, device, dump):
    """The command line that runs a work in a process of its own: it prints JSON with load_ms, first_ms and median_ms
    and writes what the network gives."""
    if peer == "vultus":
        network = {"base": "vgg16-base", "whole": "vgg16"}.get(work.network, work.network)
        what = ["--train" if work.trains else "--network", network]
        options = ["--batch", work.batch, "--runs", work.runs, "--weights", work.weights, "--feed", work.feed]
        line = ["target/release/vultus", "bench", "--json", "--quiet", "--no-layers", "--device", device, *what, *options]
    elif peer == "burn":
        line = ["target/peers/burn/release/burn-peer", work.network, work.batch, work.runs, device, work.weights, work.feed]
        return [str(part) for part in line] + [str(dump)]
    else:
        line = [sys.executable, HERE / "runner.py", peer, work.name, device, work.runs]
    return [str(part) for part in line] + ["--dump", str(dump)]
