#!/usr/bin/env bash
# Tests the live page in Chromium, which is installed where it is missing (Debian, Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/chromium.sh
cargo test --test browser -- --test-threads 1 "$@"
