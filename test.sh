#!/usr/bin/env bash
# Runs all tests. They need a GPU adapter: where there is none, Mesa's software driver is installed (Debian, Ubuntu).
set -euo pipefail
cd "$(dirname "$0")"

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Mesa complains, again and again, where a session without a desktop has no such folder.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    XDG_RUNTIME_DIR=$(mktemp -d)
    export XDG_RUNTIME_DIR
    trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi

adapters() { "${CARGO_TARGET_DIR:-target}/debug/vultus" devices --json --quiet | grep -q '"backend"'; }

# The program comes with its tests. Built by itself it would need most crates a second time, with other features.
cargo test --no-run
if ! adapters; then
    if ! command -v apt-get >/dev/null; then
        echo "test.sh: there is no GPU adapter; install a Vulkan driver (Mesa's lavapipe will do)" >&2
        exit 1
    fi
    root apt-get update
    root apt-get install --yes --no-install-recommends libvulkan1 mesa-vulkan-drivers
fi
cargo test "$@"
