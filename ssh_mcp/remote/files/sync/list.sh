# shellcheck shell=sh
# Lists what lies below the directory $1, links not followed: type, mode, size, time and name, then where a link leads,
# both ended by NUL. GNU find only.
cd -P -- "$1" || exit 66
[ "$(pwd -P)" = "$1" ] || exit 66
exec find . -mindepth 1 -printf '%y %m %s %T@ %P\0%l\0'
