#!/usr/bin/env bash
# Builds the page: web/dist, which is embedded, from the sources in web/. With --check it only says whether
# web/dist is what the sources make. It needs Go and nothing else; what it makes is committed.
#
# Two branches that changed the page conflict in web/dist. Take either side and build again:
#     git checkout --theirs web/dist; bash tools/page.sh; git add web/dist
# or have git take one by itself, once and for all, and build after the rebase or merge (see .gitattributes):
#     git config merge.built.driver true
set -euo pipefail
cd "$(dirname "$0")"
exec "${GO:-go}" run ./page -web ../web ${1:+-${1#--}}
