# shellcheck shell=sh
# $1 id   $2 wait   $3 bytes: one job, at its end or after the wait, and the last bytes of both streams on stdout, stderr.
found "$1"
await "$2"
show
tails "$3"
