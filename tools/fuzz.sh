#!/usr/bin/env bash
# Fuzzes every target of the module, one after the other, for the given time each: fuzz.sh [20s].
# A failing input lands in the package's testdata/fuzz: commit it together with the fix.
set -euo pipefail

go="${GO:-go}"
time="${1:-20s}"
for package in $("$go" list ./...); do
	listed="$("$go" test -list '^Fuzz' "$package")" || { echo "$listed" >&2; exit 1; }
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "== $package $target"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
