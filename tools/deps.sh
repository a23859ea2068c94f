#!/usr/bin/env bash
# Installs what the tests need beyond Go, and asks the package manager only when something is
# missing. It looks for the things and not for the packages, so it is content on any system
# that has them.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin" # ldconfig, nginx

missing=()
# The race detector needs a C compiler and the C headers.
printf '#include <stdlib.h>\n' | $("${GO:-go}" env CC) -E - >/dev/null 2>&1 || missing+=(gcc libc6-dev)
# The reference codec, which the tests hold ours against.
grep -q 'libopus\.so\.0 ' <<<"$(ldconfig -p 2>/dev/null || true)" || missing+=(libopus0)
# A sound server with null devices, and the programs that play to it and record from it.
command -v pulseaudio >/dev/null || missing+=(pulseaudio)
command -v aplay >/dev/null || missing+=(alsa-utils)
# The browsers that the page is tested in.
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing+=(firefox-esr)
command -v WebKitWebDriver >/dev/null || missing+=(webkit2gtk-driver)
command -v Xvfb >/dev/null || missing+=(xvfb)
# The reverse proxies that docs/operations.md has blocks for.
command -v nginx >/dev/null || missing+=(nginx-light)
command -v caddy >/dev/null || missing+=(caddy)
# What reads and makes Ogg Opus files as everybody does.
command -v opusinfo >/dev/null || missing+=(opus-tools)
# Recorded speech to measure the codec and the jitter buffer with.
[[ -d /usr/share/asterisk/sounds/en_US_f_Allison ]] || missing+=(asterisk-core-sounds-en-wav)
# npm brings axe, which looks for mistakes in accessibility. What it has installed it lists last.
there() {
	[[ tools/web/node_modules/.package-lock.json -nt tools/web/package-lock.json ]]
}
there || command -v npm >/dev/null || missing+=(npm)

fetch_axe() {
	there || npm ci --prefix tools/web --no-audit --no-fund --silent
}
if ((${#missing[@]} == 0)); then
	fetch_axe
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "make test: there is no apt-get here: install by hand what Debian calls ${missing[*]}, or run 'make check unit' without" >&2
	exit 1
fi
as_root=()
if ((EUID != 0)); then
	if ! command -v sudo >/dev/null; then
		echo "make test: run as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi
apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
}
echo "make test: installing ${missing[*]}"
apt update
apt install --yes --no-install-recommends "${missing[@]}"
# The tests start proxies of their own: what the packages started is not wanted.
for service in nginx caddy; do
	if [[ " ${missing[*]} " == *" $service"* ]] && command -v systemctl >/dev/null; then
		"${as_root[@]}" systemctl disable --quiet --now "$service" || true
	fi
done
fetch_axe
