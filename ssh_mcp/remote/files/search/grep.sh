# shellcheck shell=sh disable=SC2154
# After enter.sh. Searches the files whose names come NUL-terminated on stdin, relative to the directory.
# $go 1: search  $mode names: those of the files that match, NUL behind each; each: their lines, behind a mark and the
# name; what was opened must be the file of that name: a link may have been swapped in
# $mark a random word  $flags E or F, and i  $before $after lines around a match  $most matches per file  $pattern
if [ "$go" != 1 ] || ! enter; then exit 0; fi
printf '+\0'
if [ "$mode" = names ]; then exec xargs -0 grep -l --null -D skip "-$flags" -e "$pattern" --; fi
[ "$d" = / ] && d=
# shellcheck disable=SC2016
exec xargs -0 sh -c '
mark=$1 flags=$2 before=$3 after=$4 most=$5 pattern=$6 base=$7
shift 7
for f do
  case $f in
    *.gz) open="gzip -dc" ;;
    *.xz) open="xz -dc" ;;
    *.zst) open="zstd -dcq" ;;
    *) open= ;;
  esac
  printf "\n%s %s\0" "$mark" "$f"
  [ -f "$f" ] && [ -r "$f" ] && {
    at=$(readlink /proc/self/fd/3 2>/dev/null || readlink -f -- "$f" 2>/dev/null || realpath -- "$f"; printf .)
    at=${at%.}
    if [ "${at%?}" != "$base/${f#./}" ]; then
      printf "!"
    elif [ -n "$open" ]; then
      $open <&3 | grep -n "-$flags" -B "$before" -A "$after" -m "$most" -e "$pattern"
    else
      grep -n "-$flags" -B "$before" -A "$after" -m "$most" -e "$pattern" <&3
    fi
    :
  } 3<"$f" || printf "!"
done' sh "$mark" "$flags" "$before" "$after" "$most" "$pattern" "$d"
