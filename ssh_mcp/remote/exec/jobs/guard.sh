# shellcheck shell=sh
# Starts the job's shell and ends it at its timeout. Runs as root where the job does. Leaves the exit status in s.
# $1 id   $2 the job's directory   $3 mark   $4 timeout in seconds, 0: none   $5 umask   $6 run.sh   $7 end.sh
# $8 shell text that starts a session (setsid), maybe none   $9 "root": believe the pid file only for a child of ours

# It looks every ten seconds whether the job is there: should nobody be left to end the timer, it ends by itself then.
timer() {
  trap 'kill "$z" 2>/dev/null; exit' TERM
  n=$4
  while [ "$n" -gt 0 ]; do
    z=10
    [ "$n" -ge 10 ] || z=$n
    n=$((n - z))
    sleep "$z" &
    z=$!
    wait "$z"
    g=
    IFS= read -r g <"$2/group" || continue
    kill -0 "$g" || exit
  done
  case $g in "" | *[!0-9]*) exit ;; esac
  if [ "$9" = root ]; then
    p=$(ps -o ppid= -p "$g" || sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$g/stat")
    [ "${p##* }" = $$ ] || exit
  else
    : >"$2/timeout"
  fi
  trap '' TERM
  sh -c "$7" ssh-mcp-end "$g" "" "$1"
}
if [ "$4" != 0 ]; then
  (timer "$@") </dev/null >/dev/null 2>&1 &
  t=$!
fi
# Ours, for the words of sudo.
[ "$9" != root ] || unset LC_ALL
# What the shell here says of its child ("Killed") is not the job's output; the subshell, because dash redirects before
# it forks. In the foreground, because a command behind & would ignore INT and QUIT.
exec 4>&2 2>/dev/null
(eval "exec $8"' sh -c "$6" ssh-mcp-job "$1" "$3" "$5" 2>&4 4>&-')
s=$?
[ -z "${t-}" ] || kill -TERM "$t"
# ksh93 has 256+n for a signal, yash 384+n.
[ "$s" -lt 256 ] || s=$((128 + (s & 127)))
