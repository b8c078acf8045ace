#!/usr/bin/env bash
# Prints how many pictures per second are trained on: benches/training.sh [ADAPTER]
#
# The head alone, from block 5, from block 4, and the whole network, at 48×48 in batches of 32, on the CPU and on an
# adapter (a part of its name, llvmpipe if it is left out). Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
adapter=${1:-llvmpipe}

cargo build --release --quiet
for device in cpu "$adapter"; do
    for part in head block5 block4 all; do
        target/release/vultus bench --quiet --device "$device" --train "$part" --batch 32 --input 48 --runs 5 --no-layers |
            head -n 2
    done
done
