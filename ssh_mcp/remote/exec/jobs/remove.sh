# shellcheck shell=sh disable=SC2154
# $1... ids: removes those that have ended.
for i in "$@"; do
  if look "$i" && [ "$state" != running ]; then drop "$d"; fi
done
