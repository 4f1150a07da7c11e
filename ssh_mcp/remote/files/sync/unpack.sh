# shellcheck shell=sh
# Unpacks the archive on stdin into the directory $1, which must be ours.
cd -P -- "$1" || exit 66
[ "$(pwd -P)" = "$1" ] || exit 66
# shellcheck disable=SC3067 # not in POSIX, but in dash, BusyBox, bash and the Korn shells
[ -O . ] || exit 67
unset TAR_OPTIONS
exec tar -x -p -o -f -
