#!/bin/sh
# Runs the step where there is something to sort, in a directory that its worker may write to.
set -eu
step=$(realpath "$1")
place=$(mktemp -d)
trap 'rm -r "$place"' EXIT
chmod 755 "$place"
cd "$place"
mkdir in out
chmod 777 out
printf 'c\nb\na\n' >in/names.txt
"$step"
[ "$(cat out/sorted.txt)" = "$(printf 'a\nb\nc')" ]
