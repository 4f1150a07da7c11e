# shellcheck shell=sh disable=SC2034,SC2154
# Starts a job of the login user without a program but mkdir(1) before the reply. The shell that replies becomes the
# job's keeper: it leaves the frame that it runs in (leave, of the transport). So only on hosts for which start.sh
# replied that this works, and without a wait.
# $1 id   $2 hash of the name or "-"   $3 name   $4 command   $5 epoch   $6 output limit   $7 timeout   $8 mark
# $9 "1" or "-" (run.sh)   ${10} what to run   ${11} bytes of each tail
ticks() {
  IFS= read -r l <"/proc/$$/stat"
  l=${l##*\) }
  # shellcheck disable=SC2086
  set -- $l
  t=${20}
}
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
names=$2
begin "$1" "$2" "$3" "$4" "$5" user
claimed "$1" "${11}"
d=$jobs/$1
ticks
clock
printf '%s %s %s\n' $$ "$t" "$up" >"$d/pid"
count
printf '%s\n' "started - $n quick" "job $1 running - $5 - $up - $up user 0 0 - - -" "$3" "$4" 'at 0 0'
leave
p=$d
mkfifo "$p/0" || { p=${TMPDIR:-/tmp}/ssh-mcp-$1 && mkdir "$p" && mkfifo "$p/0"; } || {
  echo 'ssh-mcp: no named pipe can be made, so the job was not started' >"$d/stderr"
  exit
}
# Opened for both directions, which waits for nobody: should the writer be killed before it has begun, the reader sees
# the end. exec, as in keep.sh.
exec 5<>"$p/0"
(
  exec >&5 5>&-
  say "$8" "$9" "${10}" "$8"
) &
exec setsid sh -c "$keep_sh" ssh-mcp-job "$1" "$d" "$8" "$6" "$7" "$u" "$run_sh" "$end_sh" "$guard_sh" setsid '' <"$p/0" 5>&-
