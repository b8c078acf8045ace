#!/usr/bin/env bash
# Runs the examples, one of them in a window on a display that nobody sees. What is missing for that is installed (Debian,
# Ubuntu).
set -euo pipefail
cd "$(dirname "$0")/.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# What a window under X11 loads when it opens.
libraries=(libX11.so.6 libX11-xcb.so.1 libXcursor.so.1 libXi.so.6 libxkbcommon-x11.so.0)
packages=(xvfb xauth libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0)

is_complete() {
    command -v xvfb-run >/dev/null || return 1
    local library known
    known=$(/sbin/ldconfig -p)
    for library in "${libraries[@]}"; do [[ $known == *"$library"* ]] || return 1; done
}

if ! is_complete; then
    if ! command -v apt-get >/dev/null; then
        echo "examples.sh: install xvfb-run and ${libraries[*]}" >&2
        exit 1
    fi
    root apt-get update
    root apt-get install --yes --no-install-recommends "${packages[@]}"
fi
cargo build --examples
# Wayland would be preferred to the display made here.
env -u WAYLAND_DISPLAY xvfb-run --auto-servernum --server-args "-screen 0 1280x800x24" cargo test --test examples "$@"
