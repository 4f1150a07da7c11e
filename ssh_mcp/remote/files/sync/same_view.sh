# shellcheck shell=sh
# Whether this shell sees the directory $1 under that very name, with the entry $2 in it: SFTP may be chrooted.
cd -P -- "$1" || exit 66
[ "$(pwd -P)" = "$1" ] || exit 66
[ -e "./$2" ] || exit 67
