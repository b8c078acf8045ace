#!/usr/bin/env bash
# Builds the page of examples/web and tests it in Chromium with a GPU in software. What is missing is installed (Debian,
# Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/chromium.sh
examples/web/build.sh
cargo test --test web -- --test-threads 1 "$@"
