# shellcheck shell=sh disable=SC2154
# $1 id   $2 stream   $3 block   $4 count: one job, and COUNT blocks of 4096 bytes of a stream; from its end if BLOCK < 0.
found "$1"
case $2 in stderr) a=$err ;; *) a=$out ;; esac
[ "$3" -lt 0 ] || a=0
a=$((a / 4096 + $3))
[ "$a" -ge 0 ] || a=0
show
echo "at $((a * 4096)) 0"
dd if="$d/$2" bs=4096 skip="$a" count="$4" 2>/dev/null
