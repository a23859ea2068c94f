#!/usr/bin/env bash
# Checks the types and the columns of the page's JavaScript, and runs those of its tests that need no browser.
# They need Node.js 20, which not every system packages: without it they are left out, and what the browser
# tests run must do.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v node >/dev/null || (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
	echo "make js: left out, for there is no Node.js 20 or later" >&2
	exit 0
fi
find web -name '*.js' -not -path 'web/dist/*' -print0 | xargs -0 node tools/columns.mjs
if command -v npm >/dev/null; then
	# what npm writes last; it takes all away first, and axe with it, which a test may be about to read
	[[ tools/web/node_modules/.package-lock.json -nt tools/web/package-lock.json ]] ||
		npm ci --prefix tools/web --no-audit --no-fund --silent
	tools/web/node_modules/.bin/tsc -p web/jsconfig.json
else
	echo "make js: types are not checked, for there is no npm" >&2
fi
# Node.js leaves one core free unless told otherwise, which is half of a small machine.
options=(--test --test-reporter=dot)
if [[ $(node --help) == *--test-concurrency* ]]; then
	options+=("--test-concurrency=$(node -p 'os.availableParallelism()')")
fi
find web -name '*.test.js' -print0 | xargs -0 node "${options[@]}"
