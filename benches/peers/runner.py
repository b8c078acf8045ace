"""One work on one Python peer, in a process of its own: runner.py PEER WORK DEVICE RUNS --dump FILE

Prints JSON with load_ms (from files to a network that can be run), first_ms (the first run), median_ms; in FILE is what
the network gives. A run begins with the input in host memory as the peer's own tensor and ends with the output there.
"""

import json
import os
import statistics
import sys
import time

import numpy as np
from safetensors.numpy import save_file

import models
from files import load
from works import FILES, HEAD, THREADS, WORKS


def ncnn(work, device, winograd=True):
    import ncnn

    parameters, weights = models.ncnn_files(FILES, work)
    start = time.perf_counter()
    net = ncnn.Net()
    net.opt.num_threads = THREADS
    net.opt.use_winograd_convolution = winograd
    # f32 like everybody; where a driver computes f16 itself, its sums are wrong.
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)
    if device != "cpu":
        net.opt.use_vulkan_compute = True
        names = [ncnn.get_gpu_info(i).device_name() for i in range(ncnn.get_gpu_count())]
        net.set_vulkan_device(next(i for i, name in enumerate(names) if device.lower() in name.lower()))
    net.load_param(str(parameters))
    net.load_model(str(weights))
    # It knows no batches: one picture after the other.
    pictures = [ncnn.Mat(picture).clone() for picture in load(work.feed)["input"]]

    def run():
        outputs = []
        for picture in pictures:
            extractor = net.create_extractor()
            extractor.input("input", picture)
            outputs.append(np.array(extractor.extract("output")[1]))
        return {"output": np.stack(outputs)}

    return start, run


def onnxruntime(work, device):
    import onnxruntime

    model = models.onnx_file(FILES, work)
    start = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feed = load(work.feed)
    return start, lambda: {"output": session.run(None, feed)[0]}


def wonnx(work, device):
    os.environ["WGPU_ADAPTER_NAME"] = device
    import wonnx

    model = models.onnx_file(FILES, work)
    start = time.perf_counter()
    session = wonnx.Session.from_path(str(model))
    feed = {"input": load(work.feed)["input"].ravel().tolist()}
    return start, lambda: {"output": np.array(session.run(feed)["output"], np.float32)}


def pytorch(work, device):
    import torch

    torch.set_num_threads(THREADS)
    start = time.perf_counter()
    network = models.torch_network(work)
    feed = torch.from_numpy(load(work.feed)["input"]).to(memory_format=torch.channels_last)
    if not work.trains:
        network.eval()

        @torch.inference_mode()
        def run():
            return {"output": network(feed)}

        return start, run
    trained = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.SGD(trained.values(), lr=0.0, momentum=0.9)
    target = torch.arange(work.batch) % HEAD[-1]

    def run():
        optimizer.zero_grad()
        logits = network(feed)
        loss = torch.nn.functional.cross_entropy(logits, target)
        loss.backward()
        optimizer.step()
        gradients = {f"gradient.{name}": parameter.grad for name, parameter in trained.items()}
        return {"loss": loss.detach(), "logits": logits.detach()} | gradients

    return start, run


PEERS = {
    "ncnn": ncnn,
    "ncnn-direct": lambda work, device: ncnn(work, device, winograd=False),
    "onnxruntime": onnxruntime,
    "pytorch": pytorch,
    "wonnx": wonnx,
}


def main():
    peer, name, device, runs, _, dump = sys.argv[1:]
    work = next(work for work in WORKS if work.name == name)
    start, run = PEERS[peer](work, device)
    loaded = time.perf_counter()
    times = []
    for _ in range(2 + int(runs)):
        before = time.perf_counter()
        outputs = run()
        times.append(1e3 * (time.perf_counter() - before))
    save_file({name: np.array(values, np.float32, order="C") for name, values in outputs.items()}, dump)
    result = {"load_ms": 1e3 * (loaded - start), "first_ms": times[0], "median_ms": statistics.median(times[2:])}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
