# shellcheck shell=sh
# SHA-256 of the files whose names arrive on stdin, each ended by NUL, in order. $1: the directory they are in.
cd -P -- "$1" || exit 66
[ "$(pwd -P)" = "$1" ] || exit 66
exec xargs -0 sha256sum --
