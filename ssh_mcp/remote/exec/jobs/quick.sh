# shellcheck shell=sh disable=SC2154
# Starts a job of the login user without a program but mkdir(1) before the reply. The shell that replies becomes the
# job's keeper: it leaves the frame that it runs in (leave, of the transport). So only on hosts for which start.sh
# replied that this works, without a name and without a wait.
# $1 id   $2 name   $3 command   $4 epoch   $5 output limit   $6 timeout   $7 mark   $8 "1" or "-" (run.sh)
# $9 what to run
ticks() {
  IFS= read -r l <"/proc/$$/stat"
  l=${l##*\) }
  # shellcheck disable=SC2086
  set -- $l
  t=${20}
}
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
begin "$1" - "$2" "$3" "$4" user
ticks
clock
printf '%s %s %s\n' $$ "$t" "$up" >"$d/pid"
count
printf '%s\n' "started - $n quick" "job $1 running - $4 - $up - $up user 0 0 - - -" "$2" "$3" 'at 0 0'
leave
p=$d
mkfifo "$p/0" || { p=${TMPDIR:-/tmp}/ssh-mcp-$1 && mkdir "$p" && mkfifo "$p/0"; } || {
  echo 'ssh-mcp: no named pipe can be made, so the job was not started' >"$d/stderr"
  exit
}
# A shell whose printf is a program (mksh) would show the command among its arguments.
case $(command -v printf) in
/*) say='print -r --' ;;
*) say='printf %s\n' ;;
esac
# Opened for both directions, which waits for nobody: should the writer be killed before it has begun, the reader sees
# the end. exec, as in keep.sh.
exec 5<>"$p/0"
(
  exec >&5 5>&-
  for l in "$7" "$8" "$9" "$7"; do $say "$l"; done
) &
exec setsid sh -c "$keep_sh" ssh-mcp-job "$1" "$d" "$7" "$5" "$6" "$u" "$run_sh" "$end_sh" "$guard_sh" setsid '' <"$p/0" 5>&-
