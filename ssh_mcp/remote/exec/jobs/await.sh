# shellcheck shell=sh disable=SC2034,SC2154
# Waiting for a job and its last output. Behind look.sh.

# Waits until the job has ended, at most $1 milliseconds: often at first, because most commands are short.
await() {
  left=$1 step=5
  while [ "$state" = running ] && [ "$left" -gt 0 ]; do
    [ "$step" -le "$left" ] || step=$left
    case $step in
    ???) s=0.$step ;;
    ??) s=0.0$step ;;
    *) s=0.00$step ;;
    esac
    sleep "$s" 2>/dev/null || { sleep 1 && step=1000; }
    left=$((left - step))
    [ "$step" -ge 320 ] || step=$((step * 2))
    [ "$step" -lt 1000 ] || step=20
    if [ -e "$d/status" ] || ! alive "$pid" "$born" || [ "$left" -le 0 ]; then look "$id" || break; fi
  done
}
# The last $1 bytes of both streams, and up to a block more, each on its own descriptor. Their offsets come first.
tails() {
  a=$((out > $1 ? (out - $1) / 4096 : 0)) b=$((err > $1 ? (err - $1) / 4096 : 0))
  echo "at $((a * 4096)) $((b * 4096))"
  [ "$out" = 0 ] || dd if="$d/stdout" bs=4096 skip=$a 2>/dev/null
  [ "$err" = 0 ] || { dd if="$d/stderr" bs=4096 skip=$b 2>/dev/null; } >&2
}
