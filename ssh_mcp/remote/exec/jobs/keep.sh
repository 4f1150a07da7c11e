# shellcheck shell=sh
# Keeps one job: starts it, writes its output to files up to a limit and, last, its exit status. Outlives all sessions.
# $1 id   $2 the job's directory   $3 mark   $4 output limit in bytes, an eighth of it for stderr   $5 timeout
# $6 umask   $7 run.sh   $8 end.sh   $9 guard.sh
# ${10} shell text that starts a session   ${11} shell text that makes it root (sudo), or none
# A pid file that exists says that the start has been reported already (quick.sh).
# stdin goes to the job's shell. stdout carries what the starter needs to know of stderr before the command, and "started".
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
id=$1 d=$2 mark=$3 cap=$4 limit=$5 um=$6 run=$7 end=$8 guard=$9
shift 9
own=$1 root=$2
exec 3>&1 >/dev/null 2>&1

# Sets u: seconds since the boot, which no change of the clock moves; e and the epoch where those are unknown.
clock() {
  IFS=' ' read -r u l </proc/uptime || u=e$(date +%s)
}
# Sets t: when this process started, in ticks since the boot. ${20} of what follows the name in proc_pid_stat(5).
born() {
  t=-
  IFS= read -r l <"/proc/$$/stat" || return
  l=${l##*\) }
  # shellcheck disable=SC2086
  set -- $l
  t=${20}
}
clock
u0=$u known=
if [ -e "$d/pid" ]; then
  known=1
else
  born
  printf '%s %s %s\n' $$ "$t" "$u" >"$d/pid" || exit
fi

# Copies stdin to the file $1 as it comes, at most $2 bytes. dd hands on every read at once; GNU head would hold back
# blocks of 4 KiB. What cannot be written (limit, full disk) is dropped: the job goes on.
relay() {
  n=0
  while [ "$n" -lt "$2" ]; do
    b=65536 c=$((($2 - n) / 65536))
    [ "$c" -le 4096 ] || c=4096
    [ "$c" -gt 0 ] || c=1 b=$(($2 - n))
    if l=$(LC_ALL=C dd bs=$b count="$c" 2>&1 >>"$d/$1"); then
      case $l in 0+0*) break ;; esac
      # Most say "BYTES bytes" behind what POSIX has them say; GNU's may warn of a partial read before.
      k=${l##*records out}
      k=${k%% byte*}
      k=${k##*[!0-9]}
      [ -n "$k" ] || k=$(($(wc -c <"$d/$1") - n))
      n=$((n + k))
      # "FULL+PARTIAL records in": fewer than asked for are the last ones.
      l=${l%% records in*}
      l=${l##*[!0-9+]}
      case $l in [0-9]*+[0-9]*) [ $((${l%+*} + ${l#*+})) -ge "$c" ] || break ;; esac
    else
      : >"$d/$1.full"
      n=-
      break
    fi
  done
  case $n in *[!0-9]*) ;; *) [ "$n" -lt "$2" ] || : >"$d/$1.cap" ;; esac
  printf '%s\n' "$n" >"$d/$1.end" || : >"$d/$1.end"
  if [ -e "$d/$1.full" ] || [ -e "$d/$1.cap" ]; then cat >/dev/null; fi
}
stderr() {
  while IFS= read -r l; do
    case $l in
    "$mark".) break ;;
    "$mark "*) c=${l#* } ;;
    esac
    printf '%s\n' "$l" >&3
  done
  if [ "$l" = "$mark." ]; then
    printf '%s\n' "$c" >"$d/group"
    echo started >&3
    exec 3>&-
    relay stderr $((cap / 8))
  else
    exec 3>&-
    echo 0 >"$d/stderr.end"
  fi
}
# Two named pipes, opened without waiting for anybody by way of a descriptor for both directions. Only this shell and
# the job hold the ends for writing, so that the job's end ends both copies. A pipeline would leave one with its shell,
# and a redirected subshell of mksh keeps copies of what it closes, hence exec.
p=$d
[ -p "$p/2" ] || mkfifo "$p/1" "$p/2" || {
  p=${TMPDIR:-/tmp}/ssh-mcp-$id
  mkdir -p "$p" && [ -O "$p" ] && [ ! -h "$p" ] && mkfifo "$p/1" "$p/2"
} || {
  echo 'ssh-mcp: no named pipe can be made, so the job was not started' >"$d/stderr"
  exit
}
# Whoever waits for the end (watched.sh) reads from a third one; opened for both directions, it waits for no reader.
tell() {
  [ ! -p "$d/3" ] || echo "$1" 1<>"$d/3"
}
# shellcheck disable=SC2094
exec 5<>"$p/1" 6<"$p/1" 7>"$p/1" 8<>"$p/2" 9<"$p/2" 4>"$p/2" 5>&- 8>&-
(
  trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2
  exec <&6 3>&- 4>&- 6<&- 7>&- 9<&-
  relay stdout $((cap - cap / 8))
) &
(
  trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2
  exec <&9 4>&- 6<&- 7>&- 9<&-
  stderr
) &
exec 1>&7 2>&4 3>&- 4>&- 6<&- 7>&- 9<&-
set -- "$id" "$d" "$mark" "$limit" "$um" "$run" "$end" "$own"
if [ -n "$root" ]; then
  guard="$guard exit \$s"
  exec 4>&2 2>/dev/null
  eval "$root"' sh -c "$guard" ssh-mcp-job "$@" root 2>&4 4>&-'
  s=$?
  clock
  b=${u0#e} c=${u#e}
  [ "$limit" = 0 ] || [ $((${c%.*} - ${b%.*})) -lt "$limit" ] || : >"$d/timeout"
else
  eval "$guard"
fi
# Background children of the job may hold the pipes for ever: their output is still kept, but not waited for.
exec >/dev/null 2>&1 </dev/null 4>&-
# Mostly they are there at once, before a sleep(1) could begin.
i=0 o=- e=-
until { IFS= read -r o <"$d/stdout.end" && IFS= read -r e <"$d/stderr.end"; } || [ $i -ge 350 ]; do
  i=$((i + 1)) o=- e=-
  [ $i -le 300 ] || sleep 0.01 || { sleep 1 && i=350; }
done
[ -n "$o" ] || o=-
[ -n "$e" ] || e=-
if [ ! -e "$d/group" ] && [ -z "$known" ]; then
  tell failed
  rm -rf "$d"
  [ "$p" = "$d" ] || rm -rf "$p"
  exit
fi
clock
# In place, into blocks that are the file's already: a full disk must not cost the exit status. The second word was the
# date in older versions; it follows from the start and the duration.
printf '%-98s.\n' "$s - $u $o $e" 1<>"$d/status.new" && mv "$d/status.new" "$d/status"
tell over
if [ "$p" = "$d" ]; then rm -f "$p/0" "$p/1" "$p/2" "$p/3"; else rm -rf "$p"; fi
