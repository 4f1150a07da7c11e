# shellcheck shell=sh disable=SC2034,SC2154
# Names that start once. Behind look.sh.

# The newest claim of a name is a hard link to the about file of its job, made only where there is none: so of two
# servers that start the same name one finds the other's. Fails where none runs; claim is then the number of the newest.
running_claim() {
  claim=0
  for l in "$jobs"/.name-"$names"-*; do
    l=${l##*-}
    case $l in *[!0-9]*) ;; *) [ "$l" -le "$claim" ] || claim=$l ;; esac
  done
  [ "$claim" != 0 ] && { IFS= read -r id <"$jobs/.name-$names-$claim"; } 2>/dev/null || return
  i=0
  while [ -e "$jobs/$id/about" ] && [ ! -e "$jobs/$id/pid" ] && [ $i -lt 50 ]; do
    sleep 0.1 2>/dev/null || sleep 1
    i=$((i + 1))
  done
  look "$id" && [ "$state" = running ]
}
# Claims the name of job $1. Fails, with the running job looked at, where another job has it.
claim() {
  k=0
  while [ $k -lt 9 ]; do
    k=$((k + 1))
    ! running_claim || return
    n=$jobs/.name-$names-$((claim + 1))
    ln "$jobs/$1/about" "$n" 2>/dev/null || (set -C && cat "$jobs/$1/about" >"$n") 2>/dev/null || continue
    return 0
  done
}
# The new job $1 goes on with its name, or the reply is the running job that has it; $2 bytes of each tail.
claimed() {
  [ "$names" = - ] || claim "$1" || {
    rm -rf "${jobs:?}/$1"
    count
    echo "already - $n -"
    show
    tails "$2"
    exit 0
  }
}
