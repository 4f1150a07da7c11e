# shellcheck shell=sh disable=SC2154
# $1 id: notes that somebody is about to end it.
found "$1"
[ "$state" != running ] || : >"$d/cancel"
show
