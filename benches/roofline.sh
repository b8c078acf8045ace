#!/usr/bin/env bash
# Prints the tables of "Layers and their limits" in docs/performance.md: benches/roofline.sh [ADAPTER]
#
# ADAPTER is a part of the GPU adapter's name, llvmpipe if it is left out. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
adapter=${1:-llvmpipe}

table() {
    printf '### %s\n\n`vultus bench %s`\n\n' "$1" "${*:2}"
    target/release/vultus bench --quiet "${@:2}"
    echo
}

cargo build --release --quiet
table "VGG16, CPU" --network vgg16 --device cpu --markdown
table "VGG16, $adapter" --network vgg16 --device "$adapter" --runs 3 --markdown
table "Training from block5 on, CPU" --train block5 --batch 8 --device cpu --runs 3 --markdown
table "Training the head, $adapter" --train head --batch 32 --device "$adapter" --runs 3 --markdown
table "MTCNN, CPU" --network mtcnn --device cpu --markdown
table "MTCNN, $adapter" --network mtcnn --device "$adapter" --runs 3 --markdown
