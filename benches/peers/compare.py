"""Runs vultus and its peers in turn and prints a table: benches/peers/run.sh calls it.

Every figure is the median over rounds; in each round every peer runs every work in a process of its own, one after the
other. What a network gives must be what vultus gives on the CPU, or there is no figure.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

from works import FILES, HERE, ROOT, THREADS, WORKS, command

# Largest error relative to the largest magnitude of a tensor. Sums over up to 25,088 products in another order, through
# 16 layers; Winograd transforms cost one more digit of them.
TOLERANCE = 1e-4
# Of a training step: the norm of the error relative to that of the tensor. Where two values of a max-pool are equal but for
# rounding, the whole gradient goes to one or the other, and single values differ by far more.
GRADIENT_TOLERANCE = 5e-3
ENVIRONMENT = {"OMP_NUM_THREADS": str(THREADS), "RAYON_NUM_THREADS": str(THREADS), "LP_NUM_THREADS": str(THREADS)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--devices", nargs="*", default=None, help="cpu and names of adapters [default: cpu and the first adapter]")
    parser.add_argument("--works", nargs="*", default=[""], help="only works whose names contain one of these")
    parser.add_argument("--peers", nargs="*", default=None, help="only these besides vultus")
    options = parser.parse_args()
    os.chdir(ROOT)
    subprocess.run([sys.executable, HERE / "files.py"], check=True)
    adapters = [d for d in devices() if d["kind"] != "cpu"]
    chosen = options.devices if options.devices is not None else ["cpu", *[a["name"] for a in adapters[:1]]]
    software = {a["name"] for a in adapters if a["kind"] == "software"}
    results = []
    for device in chosen:
        is_software = any(device.lower() in name.lower() for name in software)
        for work in WORKS:
            peers = work.cpu if device == "cpu" else work.vulkan
            if any(part in work.name for part in options.works) and (work.on_software or not is_software):
                peers = [peer for peer in peers if peer == "vultus" or options.peers is None or peer in options.peers]
                if is_software:
                    work = dataclasses.replace(work, runs=1)
                results += measure(work, device, peers, options.rounds)
    (FILES / "results.json").write_text(json.dumps(results, indent=1))
    print_head(results, options.rounds)
    print_table(results)
    for device in chosen:
        print(f"\n`vultus predict` on one photo, from the start of the process to its end, {device}: {predict(device):.0f} ms")


def devices():
    listing = subprocess.run(["target/release/vultus", "devices", "--json"], capture_output=True, check=True)
    return json.loads(listing.stdout)["devices"]


def measure(work, device, peers, rounds):
    """All peers in turn, round by round: a result for each."""
    if not peers:
        return []
    reference = FILES / "reference.safetensors"
    measure, tolerance = ("norm", GRADIENT_TOLERANCE) if work.trains else ("largest", TOLERANCE)
    run_process(command("vultus", work, "cpu", reference))
    results = {peer: {"work": work.name, "device": device, "peer": peer, "rounds": []} for peer in peers}
    for number in range(rounds):
        for peer, result in results.items():
            if "failure" in result:
                continue
            print(f"{work.name}, {device}, round {number + 1} of {rounds}: {peer}", file=sys.stderr, flush=True)
            dump = FILES / "dump.safetensors"
            dump.unlink(missing_ok=True)
            try:
                others = others_running()
                run = run_process(command(peer, work, device, dump)) | {"others": others}
                run |= run_process([sys.executable, str(HERE / "agreement.py"), str(dump), str(reference), measure], memory=False)
                result["rounds"].append(run)
                if not run["error"] <= tolerance:
                    result["failure"] = f"its output is off by {run['error']:.1e} ({measure})"
            except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as failure:
                lines = (getattr(failure, "stderr", None) or str(failure)).strip().splitlines()
                result["failure"] = lines[-1] if lines else str(failure)
    for result in results.values():
        if "failure" not in result:
            for key in ("load_ms", "first_ms", "median_ms", "megabytes"):
                result[key] = statistics.median(run[key] for run in result["rounds"])
            result["error"] = max(run["error"] for run in result["rounds"])
    return list(results.values())


def run_process(line, memory=True):
    """What a process prints as JSON, with the most memory that it held."""
    with tempfile.TemporaryFile("w+") as messages:
        environment = os.environ | ENVIRONMENT
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=messages, text=True, env=environment)
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            messages.seek(0)
            raise subprocess.CalledProcessError(process.returncode, line[0], output, messages.read())
    result = json.loads(output.strip().splitlines()[-1])
    return result | {"megabytes": usage.ru_maxrss * 1.024e-3} if memory else result


def others_running():
    """How many threads besides this one are running or waiting for a core."""
    with open("/proc/loadavg") as load:
        return int(load.read().split()[3].split("/")[0]) - 1


def predict(device):
    """The median time of a whole process."""
    line = ["target/release/vultus", "predict", "tests/photos/astronaut.png", "--device", device, "--quiet"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def print_head(results, rounds):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{datetime.date.today()}, {cpu}, {THREADS} cores, as many threads; medians of {rounds} rounds.")
    versions = []
    for name in ("ncnn", "onnxruntime", "torch", "wonnx"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    lock = ROOT / "benches/peers/burn/Cargo.lock"
    lines = lock.read_text().splitlines() if lock.exists() else []
    versions += [f"burn {lines[i + 1].split()[-1].strip(chr(34))}" for i, text in enumerate(lines) if text == 'name = "burn"']
    print(f"Peers: {', '.join(versions)}.")
    runs = [run for result in results for run in result["rounds"]]
    disturbed = sum(run["others"] > 0 for run in runs)
    if disturbed > len(runs) / 10:
        print(f"Other processes were running when {disturbed} of {len(runs)} began: do not trust these figures.")
    print()


def print_table(results):
    print("| work | device | who | ms | to vultus | error | load and first run, ms | memory, MB |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    ours = {(r["work"], r["device"]): r.get("median_ms") for r in results if r["peer"] == "vultus"}
    for r in results:
        start = f"| {r['work']} | {r['device']} | {r['peer']} |"
        if "failure" in r:
            print(f"{start} - | - | - | - | - |")
            continue
        own = ours[r["work"], r["device"]]
        ratio = f"{r['median_ms'] / own:.2f}" if own else "-"
        first = r["load_ms"] + r["first_ms"]
        print(f"{start} {r['median_ms']:.1f} | {ratio} | {r['error']:.0e} | {first:.0f} | {r['megabytes']:.0f} |")
    for r in results:
        if "failure" in r:
            print(f"\nNot measured: {r['peer']}, {r['work']}, {r['device']}: {r['failure']}")


if __name__ == "__main__":
    main()
