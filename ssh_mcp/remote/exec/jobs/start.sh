# shellcheck shell=sh disable=SC2034,SC2154
# Starts a job on any host, as root too; the reply comes when the job's shell has its command. stdin: see run.sh.
# $1 id   $2 hash of the name or "-"   $3 name   $4 command   $5 epoch   $6 output limit   $7 timeout   $8 mark
# $9 shell text that makes it root, or none   ${10} wait   ${11} bytes of each tail

# Sets detach and own: how to leave this session and its process group. The first of two setsid(1) leads its group, so
# that the second forks and nobody waits for it; behind & the job would ignore INT and QUIT.
detaching() {
  quick=-
  if command -v setsid >/dev/null; then
    own=setsid detach='setsid setsid'
    [ ! -r /proc/self/stat ] || quick=quick
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
  quick=-
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
    eval "$detach"' sh -c "$keep_sh" ssh-mcp-job "$@"'
  else
    (trap '' HUP && exec sh -c "$keep_sh" ssh-mcp-job "$@") <&5 &
  fi
} 2>/dev/null
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

new=$1 names=$2 wait=${10} bytes=${11} l=user
[ -z "$9" ] || l=root
begin "$1" "$2" "$3" "$4" "$5" $l
claimed "$new" "$bytes"
us=$u
detaching
set -- "$new" "$jobs/$new" "$8" "$6" "$7" "$us" "$run_sh" "$end_sh" "$guard_sh" "$own" "$9"
if cat | { exec 5<&0 && launch "$@"; } | (
  while IFS= read -r l; do
    [ "$l" != started ] || exit 0
    printf '%s\n' "$l" >&2
  done
  # Or the starter would wait for the end of stdin, and its stdin for the job.
  printf '%s ended\n' "$3" >&2
  exit 1
) || outlived "$jobs/$new"; then
  count
  echo "started $logout $n $quick"
  look "$new"
  [ -z "$detach" ] || await "$wait"
  show
  tails "$bytes"
else
  [ -e "$jobs/$new/pid" ] || drop "$jobs/$new"
  echo failed
fi
