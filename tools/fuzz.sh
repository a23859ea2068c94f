#!/usr/bin/env bash
# Fuzzes every target of the module, one after the other, for the given time or number of executions each:
# fuzz.sh [20s|10000x]. A failing input lands in the package's testdata/fuzz: commit it together with the fix.
set -euo pipefail

go="${GO:-go}"
time="${1:-20s}"
output="$(mktemp)"
trap 'rm -f "$output"' EXIT

# Go ends a target whose time is up while a worker is busy, as under load, with an error of its own
# (https://go.dev/issue/75804). It is no finding: then this alone is said between "--- FAIL" and "FAIL".
time_was_up() {
	awk '/^--- FAIL: / { fails++; at = NR }
		at && NR == at + 1 && $0 == "    context deadline exceeded" { up = NR }
		up && NR == up + 1 && $0 == "FAIL" { ended = 1 }
		/Failing input written|panic:|seed corpus/ { found = 1 }
		END { exit !(fails == 1 && ended && !found) }' "$output"
}

for package in $("$go" list ./...); do
	listed="$("$go" test -list '^Fuzz' "$package")" || { echo "$listed" >&2; exit 1; }
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "== $package $target"
		if ! "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" 2>&1 | tee "$output" && ! time_was_up; then
			exit 1
		fi
	done
done
