#!/usr/bin/env bash
# Fuzzes every target of the module, one after the other, for the given time each: fuzz.sh [20s].
# A failing input lands in the package's testdata/fuzz: commit it together with the fix.
set -euo pipefail

go="${GO:-go}"
time="${1:-20s}"
for package in $("$go" list ./...); do
	for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	done
done
