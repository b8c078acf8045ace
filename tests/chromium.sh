# Installs Chromium and chromedriver where they are missing (Debian, Ubuntu). For other scripts to source.

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v chromedriver >/dev/null || ! command -v chromium >/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "${0##*/}: install Chromium and chromedriver" >&2
        exit 1
    fi
    root apt-get update
    root apt-get install --yes --no-install-recommends chromium chromium-driver
fi
