# shellcheck shell=sh
# Some of the file $1, behind a line with its state. $2 says which part: range (from byte $4, counted from 1), first or
# last (so many lines: $4); at most $3 bytes.
# Exit 70: missing, 71: no regular file, 72: the path leads elsewhere, 73: a directory, 75: failed.
[ -d "$1" ] && exit 73
[ -e "$1" ] || exit 70
[ -f "$1" ] || exit 71
exec 3<"$1" || exit 75
# The opened file must be the permitted one: /proc shows what a descriptor leads to; elsewhere the path is asked again.
q=$(readlink /proc/$$/fd/3 2>/dev/null) || q=$(readlink -f -- "$1")
[ "$q" = "$1" ] || exit 72
s=$(state "$1") || exit 75
printf '%s\n' "$s"
case $2 in
  range) tail -c "+$4" <&3 | head -c "$3" ;;
  first) head -n "$4" <&3 | head -c "$3" ;;
  last) tail -n "$4" <&3 | tail -c "$3" ;;
esac
