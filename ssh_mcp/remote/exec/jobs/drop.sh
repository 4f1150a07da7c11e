# shellcheck shell=sh disable=SC2154
# Removes the directory $1 and the claims of its job, whose name is known from looking at it.
drop() {
  for l in "$jobs"/.name-"$names"-*; do
    { IFS= read -r n <"$l"; } 2>/dev/null && [ "$n" = "${1##*/}" ] && rm -f "$l"
  done
  rm -rf "$1"
}
