#!/bin/sh
# SPDX-License-Identifier: MIT
# symbols.sh LIBRARY MAP HEADER...
# The library exports what its map lists, and the map lists every function that the headers declare.
set -eu
library=$1 map=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	sort -u >"$work/exported"
sed 's,/\*.*\*/,,' "$map" | awk '/^[ \t]+[a-z0-9_]+;/ { sub(/;.*/, ""); print $1 }' |
	sort -u >"$work/listed"
for header; do
	"${CC:-cc}" -E -P -x c -I "$(dirname "$header")/.." "$header"
done | grep -oE '\bwf_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$work/declared"
grep -v '^wf_private_' "$work/listed" >"$work/public" || :

status=0
differ() { # WHAT FILE FILE
	if ! diff -u --label "$2" --label "$3" "$work/$2" "$work/$3"; then
		echo "symbols: $1 ($2 <, > $3)"
		status=1
	fi
}
[ -s "$work/exported" ] || { echo "symbols: $library exports nothing"; status=1; }
differ "the library and its map differ" listed exported
differ "the headers and the map differ" declared public
echo "symbols: $(wc -l <"$work/exported") exported, $(wc -l <"$work/declared") declared"
exit $status
