#!/usr/bin/env bash
# The library's features: the engine alone needs few crates, and each feature builds alone.
# `tests/features.sh pairs` builds every pair of them too, which takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

# The crates that the engine may need beyond wgpu's own.
limit=60

builds() {
    echo "features: ${1:-none}"
    cargo clippy --quiet --lib --no-default-features --features "$1" -- -D warnings
}

# Names and versions of the crates that a crate is built from, without itself.
crates() { cargo tree "$@" --edges normal,build --prefix none | tail -n +2 | cut -d ' ' -f 1,2 | sort -u; }

# A crate that needs the same wgpu and nothing else.
alone=target/features
mkdir -p "$alone/src"
touch "$alone/src/lib.rs"
cp Cargo.lock "$alone"
{
    printf '[package]\nname = "wgpu-alone"\nedition = "2024"\n[workspace]\n'
    awk '/^\[/ { section = $0 } /^wgpu = / { print section; print }' Cargo.toml
} >"$alone/Cargo.toml"

beyond=$(comm -23 <(crates --no-default-features) <(crates --manifest-path "$alone/Cargo.toml"))
count=$(wc -l <<<"$beyond")
echo "without features: $count crates beyond wgpu's, at most $limit are allowed"
if [ "$count" -gt "$limit" ]; then
    echo "$beyond" >&2
    exit 1
fi

mapfile -t features < <(sed -n '/^\[features\]/,/^\[dep/s/^\([a-z]*\) =.*/\1/p' Cargo.toml | grep -v '^default$')
builds ""
for feature in "${features[@]}"; do builds "$feature"; done
if [ "${1:-}" = pairs ]; then
    for ((i = 0; i < ${#features[@]}; i++)); do
        for ((j = i + 1; j < ${#features[@]}; j++)); do builds "${features[i]},${features[j]}"; done
    done
fi
