#!/usr/bin/env bash
# Measures vultus against its peers on this machine: benches/peers/run.sh [--help]
#
# Installs the peers into target/peers/venv (VULTUS_PEERS_VENV names a virtual environment that has them instead) and
# builds vultus and a small program on burn. Needs cargo, Python 3.9 with venv, 8 GB of disk. A peer that cannot be
# installed is named and left out.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=${VULTUS_PEERS_VENV:-}
if [ -z "$venv" ]; then
    venv=target/peers/venv
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy safetensors
    for peer in onnx onnxruntime ncnn torch wonnx; do
        "$venv/bin/pip" install --quiet "$peer" || echo "run.sh: $peer could not be installed and is left out" >&2
    done
fi

cargo build --release
CARGO_TARGET_DIR=target/peers/burn cargo build --release --manifest-path benches/peers/burn/Cargo.toml ||
    echo "run.sh: burn could not be built and is left out" >&2

exec "$venv/bin/python" benches/peers/compare.py "$@"
