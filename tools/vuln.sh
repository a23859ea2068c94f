#!/usr/bin/env bash
# Runs govulncheck. What it finds fails; a database that cannot be reached is one line of
# warning, because the tests must also run on machines without internet. GOVULNDB names a mirror.
set -euo pipefail

db="${GOVULNDB:-https://vuln.go.dev}"
status=0
out="$("${GO:-go}" tool -modfile=tools/go.mod govulncheck -db "$db" ./... 2>&1)" || status=$?
if ((status == 1)) && grep -q '^govulncheck: fetching vulnerabilities: ' <<<"$out"; then
	echo "warning: vulnerabilities NOT checked: the database at $db cannot be reached" >&2
	exit 0
fi
printf '%s\n' "$out"
exit "$status"
