# shellcheck shell=sh
# What our server asks a host about jobs. Needs sh and a few programs of POSIX; /proc or ps says who is alive.
# $1 verb   $2 hash of the identity that owns the jobs   $3 file with the boot id   and by verb:
#   start ID NAMEHASH NAME COMMAND EPOCH CAP TIMEOUT MARK ROOT WAIT BYTES RUN END GUARD KEEP   (stdin: see run.sh)
#   status ID WAIT BYTES            one job, and the last BYTES of both streams on stdout and stderr
#   output ID STREAM BLOCK COUNT    one job, and COUNT blocks of 4096 bytes of a stream; from its end if BLOCK < 0
#   list                            all jobs of the owner
#   cancel ID END | mark ID         end one job; only note that it is being ended
#   remove ID...                    remove ended jobs
# NAME and COMMAND are percent-encoded lines. WAIT is in milliseconds. The replies are read by ssh_mcp/facts/jobs.py.
case ${XDG_STATE_HOME-} in
/*) jobs=$XDG_STATE_HOME/ssh-mcp/jobs ;;
*) jobs=${HOME:-/nonexistent}/.ssh-mcp/jobs ;;
esac
verb=$1 owner=$2
{
  IFS= read -r boot <"$3" || boot=$(sysctl -n kern.bootsessionuuid || sysctl -n kern.boottime | tr -d ' ')
} 2>/dev/null
boot=${boot:--}
shift 3

clock() {
  { IFS=' ' read -r up l </proc/uptime; } 2>/dev/null || up=e$(date +%s)
}
# Whether process $1 lives and is the one that started at $2 ticks. Without /proc it must have the job's id in its
# arguments, for a start time in ps(1) moves with the clock; without ps, to be there is enough.
alive() {
  if [ -r /proc/self/stat ]; then
    { IFS= read -r l <"/proc/$1/stat"; } 2>/dev/null || return
    l=${l##*\) }
    # shellcheck disable=SC2086
    set -- "$2" $l
    [ "$2" != Z ] && { [ "$1" = - ] || [ "${21}" = "$1" ]; }
  elif ps -p $$ >/dev/null 2>&1; then
    case $(ps -ww -o stat= -o args= -p "$1" 2>/dev/null) in
    Z*) return 1 ;;
    *"$id"*) ;;
    *) return 1 ;;
    esac
  else
    kill -0 "$1" 2>/dev/null
  fi
}
ended() {
  { IFS=' ' read -r code at upto out err l <"$d/status"; } 2>/dev/null || return
  state=exited
  [ ! -e "$d/cancel" ] || state=cancelled
  [ ! -e "$d/timeout" ] || state=timed_out
}
# Sets what is known of job $1; fails where this owner has no such job. Never guesses: who runs has the id and the start
# time that were written down in this boot, or, should the keeper have been killed, the job's shell is there.
look() {
  id=$1 d=$jobs/$1 pid=- code=- at=- upto=- out=- err=- group=- shown=-
  {
    {
      IFS= read -r l && [ "$l" = "$id" ] && IFS= read -r l && [ "$l" = "$owner" ] && IFS= read -r names &&
        IFS= read -r name && IFS= read -r command && IFS=' ' read -r began root inboot
    } <"$d/about"
  } 2>/dev/null || return
  { IFS=' ' read -r pid born upfrom <"$d/pid"; } 2>/dev/null || return
  { IFS= read -r group <"$d/group"; } 2>/dev/null
  if ended; then
    :
  elif [ "$boot" = "$inboot" ] && alive "$pid" "$born"; then
    state=running
  elif [ "$boot" != "$inboot" ]; then
    state=host_rebooted
  elif [ "$group" != - ] && shell_lives; then
    state=running
  elif ended; then
    :
  elif [ -e "$d/cancel" ]; then
    state=cancelled
  elif [ -e "$d/timeout" ]; then
    state=timed_out
  else
    state=lost
  fi
  case $out in -) out=$(wc -c <"$d/stdout") && out=$((out)) ;; esac
  case $err in -) err=$(wc -c <"$d/stderr") && err=$((err)) ;; esac
  [ "$state" = running ] || first_seen
}
# The job's shell without its keeper. It may have become another program; its session and its environment stay.
shell_lives() {
  if [ -r /proc/self/stat ]; then
    { IFS= read -r l <"/proc/$group/stat"; } 2>/dev/null || return
    l=${l##*\) }
    # shellcheck disable=SC2086
    set -- $l
    [ "$1" != Z ] && { [ "$4" = "$group" ] || grep -q "SSH_MCP_JOB=$id" "/proc/$group/environ" 2>/dev/null; }
  else
    alive "$group" -
  fi
}
# Who is the first to see a job's end writes it into an audit; when that was is the end of those that wrote none.
first_seen() {
  if [ -e "$d/seen" ]; then
    [ "$at" != - ] || { IFS= read -r at <"$d/seen"; } 2>/dev/null
  else
    shown=first
    [ "$at" != - ] || at=$(date +%s)
    (set -C && echo "$at" >"$d/seen") 2>/dev/null || shown=-
  fi
}
show() {
  cut=
  for l in stdout.cap stdout.full stderr.cap stderr.full; do
    [ ! -e "$d/$l" ] || cut=$cut,$l
  done
  clock
  printf '%s\n' "job $id $state $code $began $at ${upfrom:--} $upto $up $root $out $err $shown ${cut:--} $group" \
    "$name" "$command"
}
# Waits until the job has ended, at most $1 milliseconds: often at first, because most commands are short.
await() {
  left=$1 step=20
  while [ "$state" = running ] && [ "$left" -gt 0 ]; do
    [ "$step" -le "$left" ] || step=$left
    case $step in
    ???) s=0.$step ;;
    *) s=0.0$step ;;
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
# Sets detach and own: how to leave this session and its process group. The first of two setsid(1) leads its group, so
# that the second forks and nobody waits for it; behind & the job would ignore INT and QUIT.
detaching() {
  if command -v setsid >/dev/null; then
    own=setsid detach='setsid setsid'
  elif command -v perl >/dev/null; then
    own="perl -MPOSIX -e 'setsid; exec @ARGV'" detach="perl -MPOSIX -e 'exit if fork; setsid; exec @ARGV'"
  else
    own='' detach=''
  fi
  logout=-
  while IFS= read -r l; do
    case $l in *session-*.scope*) logging_out ;; esac
  done 2>/dev/null </proc/self/cgroup
}
# logind.conf(5): KillUserProcesses=yes ends all of a session but what a lingering user's own manager has.
logging_out() {
  grep -Eiqs '^ *KillUserProcesses *= *(y|t|on|1)' /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf \
    /run/systemd/logind.conf.d/*.conf /usr/lib/systemd/logind.conf.d/*.conf || return
  u=$(id -un)
  case $(loginctl show-session -p KillUserProcesses) in *=no) return ;; esac
  case " $(loginctl show-session -p KillExcludeUsers --value) " in *" $u "*) return ;; esac
  XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  export XDG_RUNTIME_DIR
  if [ -e "/var/lib/systemd/linger/$u" ] && systemd-run --user --scope --quiet true; then
    detach="systemd-run --user --scope --quiet $detach"
  else
    logout=logout
  fi
} </dev/null >/dev/null 2>&1
launch() {
  if [ -n "$detach" ]; then
    eval "$detach"' sh -c "$keep" ssh-mcp-job "$@"'
  else
    (trap '' HUP && exec sh -c "$keep" ssh-mcp-job "$@") <&5 &
  fi
} 2>/dev/null
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
# Removes the directory $1 and the claims of its job.
drop() {
  for l in "$jobs"/.name-"$names"-*; do
    { IFS= read -r n <"$l"; } 2>/dev/null && [ "$n" = "${1##*/}" ] && rm -f "$l"
  done
  rm -rf "$1"
}
# A keeper that starts nothing removes its directory $1; else it goes on, whoever has ended those who waited for it here.
outlived() {
  i=0
  while [ -e "$1/pid" ] && [ $i -lt 40 ]; do
    [ ! -e "$1/group" ] || return 0
    sleep 0.05 2>/dev/null || sleep 1
    i=$((i + 1))
  done
  return 1
}
refused() {
  printf 'refused %s: %s\n' "$jobs" "$1"
  exit 0
}

case $verb in
start)
  u=$(umask) new=$1 names=$2 wait=${10}
  umask 077
  d=$jobs/$new
  mkdir "$d" 2>/dev/null || l=$({ mkdir -p "$jobs" && mkdir "$d"; } 2>&1) || refused "${l##*: }"
  [ -O "$jobs" ] || refused 'it belongs to somebody else'
  l=user
  [ -z "$9" ] || l=root
  {
    printf '%s\n' "$new" "$owner" "$names" "$3" "$4" "$5 $l $boot" >"$d/about" &&
      printf '%-98s.\n' '' >"$d/status.new" && : >"$d/stdout" && : >"$d/stderr"
  } 2>/dev/null || {
    rm -rf "$d"
    refused 'nothing can be written'
  }
  if [ "$names" != - ] && ! claim "$new"; then
    rm -rf "${jobs:?}/$new"
    echo "already - $#"
    show
    tails "${11}"
    exit 0
  fi
  detaching
  bytes=${11} keep=${15}
  set -- "$new" "$jobs/$new" "$8" "$6" "$7" "$u" "${12}" "${13}" "${14}" "$own" "$9"
  if cat | { exec 5<&0 && launch "$@"; } | (
    while IFS= read -r l; do
      [ "$l" != started ] || exit 0
      printf '%s\n' "$l" >&2
    done
    printf '%s ended\n' "$3" >&2 # or the starter would wait for the end of stdin, and its stdin for the job
    exit 1
  ) || outlived "$jobs/$new"; then
    id=$new
    set -- "$jobs"/*/
    echo "started $logout $#"
    look "$id"
    [ -z "$detach" ] || await "$wait"
    show
    tails "$bytes"
  else
    [ -e "$jobs/$new/pid" ] || drop "$jobs/$new"
    echo failed
  fi
  ;;
list)
  for d in "$jobs"/*/; do
    d=${d%/}
    if [ -e "$d/pid" ]; then
      if look "${d##*/}"; then show; fi
    elif [ -n "$(find "$d" -prune -mmin +5 2>/dev/null)" ]; then
      rm -rf "$d"
    fi
  done
  echo "now $(date +%s)"
  ;;
remove)
  for l in "$@"; do
    if look "$l" && [ "$state" != running ]; then drop "$d"; fi
  done
  ;;
*)
  if ! look "$1"; then
    echo unknown
    exit 0
  fi
  case $verb in
  status)
    await "$2"
    show
    tails "$3"
    ;;
  output)
    case $2 in stderr) a=$err ;; *) a=$out ;; esac
    [ "$3" -lt 0 ] || a=0
    a=$((a / 4096 + $3))
    [ "$a" -ge 0 ] || a=0
    show
    echo "at $((a * 4096)) 0"
    dd if="$d/$2" bs=4096 skip="$a" count="$4" 2>/dev/null
    ;;
  mark)
    [ "$state" != running ] || : >"$d/cancel"
    show
    ;;
  cancel)
    i=0 l=
    while [ "$state" = running ] && [ "$group" = - ] && [ $i -lt 50 ]; do
      sleep 0.1 2>/dev/null || sleep 1
      i=$((i + 1))
      look "$1" || break
    done
    if [ "$state" = running ]; then
      : >"$d/cancel"
      sig=$(sh -c "$2" ssh-mcp-end "$group" "" "$id") || rm -f "$d/cancel"
      await 5000
    fi
    echo "signal ${sig:--}"
    show
    ;;
  esac
  ;;
esac
