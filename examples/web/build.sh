#!/usr/bin/env bash
# Builds the page, which then lies in target/web/page with the weights beside it. To look at it:
#
#     examples/web/build.sh
#     python3 -m http.server --bind 127.0.0.1 --directory target/web/page
#
# `examples/web/build.sh check` only checks that the library and the page's program build.
#
# Takes rustup's wasm32-unknown-unknown where it is installed. Debian's compiler for it has no standard library, which is
# built along then.
set -euo pipefail
cd "$(dirname "$0")/../.."

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

triple=wasm32-unknown-unknown
folder=target/web
page=$folder/page

build=(build --profile web --example web)
if [ "${1:-}" = check ]; then build=(check --lib --example web); fi
build+=(--no-default-features --target "$triple" --target-dir "$folder")
if [ -d "$(rustc --print target-libdir --target "$triple")" ]; then
    cargo "${build[@]}"
else
    if ! [ -d /usr/lib/rustlib/src/rust/library/std ] || ! command -v wasm-ld >/dev/null; then
        if ! command -v apt-get >/dev/null; then
            echo "build.sh: rustup target add $triple" >&2
            exit 1
        fi
        root apt-get update
        root apt-get install --yes --no-install-recommends rustc-web cargo-web rust-web-src lld
    fi
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
        /usr/bin/cargo "${build[@]}" -Z build-std=std,panic_abort
fi

if [ "${1:-}" = check ]; then exit; fi

# The module's way to JavaScript is written by the tool of the very version that is compiled into it.
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
bindgen=$folder/tools/bin/wasm-bindgen
if [ "$("$bindgen" --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
    cargo install --locked wasm-bindgen-cli --version "=$version" --root "$folder/tools"
fi
mkdir -p "$page"
"$bindgen" --target web --no-typescript --remove-name-section --out-dir "$page" \
    "$folder/$triple/web/examples/web.wasm"

cp examples/web/{index.html,page.js,style.css} tests/photos/astronaut.png weights/{yunet,expression_model}.safetensors "$page"
echo "$page: $(stat -c %s "$page/web_bg.wasm") bytes of program"
