# shellcheck shell=sh disable=SC2034
# Where jobs are kept. Needs sh and a few programs of POSIX; /proc or ps says who is alive.
# NAME and COMMAND are percent-encoded lines. WAIT is in milliseconds. The replies are read by ssh_mcp/facts/jobs.py.

# place OWNER BOOT: OWNER is the hash of the identity that owns the jobs, BOOT a file with the boot id.
place() {
  case ${XDG_STATE_HOME-} in
  /*) jobs=$XDG_STATE_HOME/ssh-mcp/jobs ;;
  *) jobs=${HOME:-/nonexistent}/.ssh-mcp/jobs ;;
  esac
  owner=$1
  {
    IFS= read -r boot <"$2" || boot=$(sysctl -n kern.bootsessionuuid || sysctl -n kern.boottime | tr -d ' ')
  } 2>/dev/null
  boot=${boot:--}
}
clock() {
  { IFS=' ' read -r up l </proc/uptime; } 2>/dev/null || up=e$(date +%s)
}
