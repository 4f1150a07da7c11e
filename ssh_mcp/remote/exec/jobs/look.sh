# shellcheck shell=sh disable=SC2034,SC2154
# What is known of a job. Behind place.sh.

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
  { IFS=' ' read -r code at upto out err l <"$d/status"; } 2>/dev/null || code=
  l=$at
  [ "$at" != - ] || l=0
  case "$code $l" in *[!0-9\ ]* | " "* | *" ") code=- at=- upto=- out=- err=- && return 1 ;; esac
  state=exited
  [ ! -e "$d/cancel" ] || state=cancelled
  [ ! -e "$d/timeout" ] || state=timed_out
}
# Whether all that is read of the job are plain files of its directory: none of ours is a link, a pipe or a device.
untouched() {
  [ ! -h "$d" ] || return
  for l in about pid group stdout stderr status seen; do
    [ ! -h "$d/$l" ] && { [ -f "$d/$l" ] || [ ! -e "$d/$l" ]; } || return
  done
  [ -e "$d/about" ]
}
# Sets what is known of job $1; fails where this owner has no such job. Never guesses: who runs has the id and the start
# time that were written down in this boot, or, should the keeper have been killed, the job's shell is there.
look() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  id=$1 d=$jobs/$1 pid=- code=- at=- upto=- out=- err=- group=- shown=-
  untouched || return
  {
    {
      IFS= read -r l && [ "$l" = "$id" ] && IFS= read -r l && [ "$l" = "$owner" ] && IFS= read -r names &&
        IFS= read -r name && IFS= read -r command && IFS=' ' read -r began root inboot
    } <"$d/about"
  } 2>/dev/null || return
  { IFS=' ' read -r pid born upfrom <"$d/pid"; } 2>/dev/null || return
  { IFS= read -r group <"$d/group"; } 2>/dev/null
  case $pid in "" | *[!0-9]*) pid=0 ;; esac
  case $group in "" | *[!0-9]*) group=- ;; esac
  if ended; then
    :
  elif [ "$boot" = "$inboot" ] && alive "$pid" "$born"; then
    state=running
  elif [ "$boot" != "$inboot" ]; then
    state=host_rebooted
  elif if [ "$group" = - ]; then begins; else shell_lives; fi; then
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
  case $out$err in *[!0-9]*) sizes ;; esac
  [ "$state" = running ] || first_seen
}
# Sets those sizes of the streams that the keeper has not written down, by one program.
sizes() {
  # shellcheck disable=SC2046
  set -- $(cd "$d" && exec wc -c stdout stderr)
  case $out in "" | *[!0-9]*) out=$1 ;; esac
  case $err in "" | *[!0-9]*) err=$3 ;; esac
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
# A job without its keeper whose shell is still on its way: what starts it has the id among its arguments.
begins() {
  [ -r /proc/self/stat ] || return
  # shellcheck disable=SC2013
  for l in $(grep -ls "[${id%"${id#?}"}]${id#?}" /proc/[0-9]*/cmdline); do
    tr '\000' ' ' <"$l" | grep -q "ssh-mcp-job $id " && { IFS= read -r group <"$d/group" || group=-; } && return
  done 2>/dev/null
  return 1
}
# Who is the first to see a job's end writes it into an audit; when that was is the end of those that wrote no status.
first_seen() {
  if [ -e "$d/seen" ]; then
    [ "$code$at" != -- ] || { IFS= read -r at <"$d/seen"; } 2>/dev/null
    at=${at:--}
  else
    shown=first
    [ "$code$at" != -- ] || at=$(date +%s)
    set -C
    { echo "${at#-}" >"$d/seen"; } 2>/dev/null || shown=-
    set +C
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
found() {
  look "$1" || {
    echo unknown
    exit 0
  }
}
