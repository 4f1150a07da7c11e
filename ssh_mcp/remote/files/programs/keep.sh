# shellcheck shell=sh disable=SC2154  # copied and links are set by keep and row
# Dresses a file that was written over SFTP: $1 the file whose attributes it takes over, $2 the new file, $3 its mode,
# $4 "same" where that is the mode of $1. Both are canonical paths. Prints "links N" (names of $1) and perhaps "lost".
# Exit 64: this shell does not see the files as SFTP does. 65: the access list cannot be kept. 66: the mode cannot be set.
[ -f "$1" ] && [ -f "$2" ] && exec 3<"$2" || exit 64
new=$2
if [ -e "/proc/$$/fd/3" ]; then
  # through the descriptor: a link that takes the file's place meanwhile leads nobody else's file to be changed
  # shellcheck disable=SC3013  # -ef is in dash, bash, ksh, mksh, zsh and BusyBox, and in POSIX.1-2024
  [ "/proc/$$/fd/3" -ef "$2" ] || exit 64
  new=/proc/$$/fd/3
fi
[ ! -h "$2" ] || exit 64
keep "$1" "$new" || exit 65
[ "$copied$4" = 1same ] || chmod -- "$3" "$new" || exit 66
echo "links $links"
