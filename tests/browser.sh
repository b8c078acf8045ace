#!/usr/bin/env bash
# Tests the live page in Chromium, which is installed where it is missing (Debian, Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v chromedriver >/dev/null || ! command -v chromium >/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "browser.sh: install Chromium and chromedriver" >&2
        exit 1
    fi
    root apt-get update
    root apt-get install --yes --no-install-recommends chromium chromium-driver
fi
cargo test --test browser -- --test-threads 1 "$@"
