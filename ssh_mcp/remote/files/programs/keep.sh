# shellcheck shell=sh disable=SC2154  # perms and links are set by row
# Dresses a file that was written over SFTP: $1 the file whose attributes it takes over, $2 the new file, $3 its mode.
# Both are canonical paths. Prints "links N" (names of the old file) and perhaps "lost".
# Exit 64: this shell does not see the files as SFTP does. 65: the access list cannot be kept. 66: the mode cannot be set.
[ -f "$1" ] && [ -f "$2" ] && [ ! -h "$2" ] || exit 64
exec 3<"$2" || exit 64
new=$2
if q=$(readlink "/proc/$$/fd/3" 2>/dev/null) && [ -n "$q" ]; then
  # through the descriptor: a link that takes the file's place meanwhile leads nobody else's file to be changed
  [ "$q" = "$2" ] || exit 64
  new=/proc/$$/fd/3
fi
keep "$1" "$new" || exit 65
chmod -- "$3" "$new" || exit 66
echo "links $links"
