#!/usr/bin/env bash
# Builds the page of examples/web and tests it in Chromium with a GPU in software. What is missing is installed (Debian,
# Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v chromedriver >/dev/null || ! command -v chromium >/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "web.sh: install Chromium and chromedriver" >&2
        exit 1
    fi
    root apt-get update
    root apt-get install --yes --no-install-recommends chromium chromium-driver
fi
examples/web/build.sh
cargo test --test web -- --test-threads 1 "$@"
