#!/bin/sh
# SPDX-License-Identifier: MIT
# archive.sh MAP OUTPUT ARCHIVE... -- LIBRARY... -- COMPILER [ARGUMENT...]
# What the map does for the shared library, for a static one: all of the archives, and what they
# need of the libraries, becomes one object of which only the map's names are left.
set -eu
map=$1 output=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

whole='' libraries=''
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
	whole="$whole $1"
	shift
done
shift
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
	libraries="$libraries -l$1"
	shift
done
shift
sed 's,/\*.*\*/,,' "$map" | sed -n 's/^[ \t]*\(wf_[a-z0-9_]*\);.*/\1/p' >"$work/names"
# shellcheck disable=SC2086 # lists of words
"$@" -r -nostdlib -o "$work/warmfork.o" -Wl,--whole-archive $whole -Wl,--no-whole-archive \
	-Wl,-Bstatic $libraries
objcopy --keep-global-symbols="$work/names" "$work/warmfork.o"
rm -f "$output"
ar rcsD "$output" "$work/warmfork.o"
