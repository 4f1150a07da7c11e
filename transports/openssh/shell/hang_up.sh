# shellcheck shell=sh disable=SC2086,SC2154,SC2034,SC2009,SC2013
# hang NONCE PARENT CHILD: ends a frame as the end of a terminal would: HUP, a second later TERM, another later KILL, but
# not to what ignores HUP. With b=1 (a watch) a frame is believed to be there where neither /proc nor ps is there to ask.

# deaf: whether process q ignores HUP (bit 0 of SigIgn, proc_pid_status(5); sigignore of BSD's ps).
deaf() {
  if [ -r /proc/self/stat ]; then
    while read -r a v; do
      case $a$v in SigIgn:*[13579bdf]) return 0 ;; esac
    done </proc/$q/status
    return 1
  fi
  case $(ps -o sigignore= -p $q) in *[13579bdfBDF]) return 0 ;; esac
  return 1
}

# left SIGNAL: signals (0: looks for) who is left and does not ignore HUP; fails where nobody is. Where it cannot be known
# who ignores HUP (macOS), all get HUP, which few outlive without meaning to, and only the command's shell what follows.
left() {
  if [ -n "$blind" ]; then
    case $1$c in
    TERM0 | KILL0) pkill -$1 -P $p ;;
    TERM* | KILL*) kill -$1 $c ;;
    *) if [ -n "$g" ]; then kill -$1 -$g; else send $1 || kill -$1 $c; fi ;;
    esac
    return
  fi
  mine all
  r=1
  for q in $now; do
    deaf || { kill -$1 $q && r=0; }
  done
  return $r
}

hang() {
  {
    p=$2 c=$3 blind=''
    # Without a process id (the connection broke before the first mark came) the frame is looked for by its nonce. Only
    # its parent has the traps in its arguments.
    if [ $p = 0 ] && [ ! -r /proc/self/stat ]; then
      p=$(ps -A -ww -o pid= -o args= | grep $1 | grep 'trap : HUP' | sed 's/^ *//; s/ .*//; q')
    elif [ $p = 0 ]; then
      for f in $(grep -l $1 /proc/[0-9]*/cmdline); do
        grep -q 'trap : HUP' $f && p=${f#/proc/} && p=${p%/*}
      done
    fi
    frame $1 ${p:-0} $b || return 3
    [ -r /proc/self/stat ] || ps -o sigignore= -p $p >/dev/null || blind=1
    left HUP
    i=0
    while [ $i -lt 20 ]; do
      left 0 || break
      [ $i != 10 ] || left TERM
      sleep 0.1 || sleep 1
      i=$((i+1))
    done
    # More than once: the list may be older than the last fork.
    for i in 1 2 3 4 5; do
      left KILL || break
    done
  } 2>/dev/null
}
