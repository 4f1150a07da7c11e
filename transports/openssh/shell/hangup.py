"""What ends commands whose link is lost, as shell text, pure.

sshd tells a command without a terminal nothing when its connection breaks: a silent one runs on for good. So it is hung
up on as a terminal's end would do it: HUP, two seconds of grace in which TERM and then KILL follow, for all that is
left of the frame's process group and session but what ignores HUP (nohup(1)) or has left it (setsid(1), a daemon).

``hang_up_script`` does it when the host is reached again. ``watch_script`` waits on the host itself: it is a session of
the same master whose stdin ends with the link (watch.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from transports.openssh.shell.frame import Processes

# Without a process id (the link broke before the first mark came) the frame is looked for by its nonce. The id of a
# group is not given away while the group has a member. Only the frame's parent has its traps in its arguments, and
# where a wrapper stands before us (ForceCommand) the group is the wrapper's. `left` signals who is left and does not
# ignore HUP (bit 0 of SigIgn); it fails where nobody is. KILL comes more than once, because the list may be older than
# the last fork. Without /proc ps may tell who ignores what (BSD); where it cannot (macOS) all get HUP, which few
# outlive without meaning to, and only the command's own shell what follows. A watch ($b) believes that its frame is
# there where neither can say anything.
_HANG: Final = """b=
left() {
  {
    if [ -n "$m" ]; then
      r=1
      for q in $(ps -A -o pid= -o pgid= -o $m= -o stat= -o sigignore= |
        awk -v g=$g -v x=$x '($2 == g || $3 == x) && $4 !~ /Z/ && $5 !~ /[13579bdfBDF]$/ {print $1}'); do
        kill -$1 $q && r=0
      done
      return $r
    fi
    if [ ! -r /proc/self/stat ]; then
      case $1$c in
      TERM0 | KILL0) pkill -$1 -P $p ;;
      TERM* | KILL*) kill -$1 $c ;;
      *) kill -$1 -$g ;;
      esac
      return
    fi
    r=1
    for f in /proc/[0-9]*/stat; do
      IFS= read -r l <"$f" || continue
      q=${l%% *}
      set -- $1 ${l##*\\) }
      [ "$4" = $g ] || [ "$5" = $g ] || continue
      [ "$2" = Z ] && continue
      h=0
      while read -r k v; do
        case $k$v in SigIgn:*[13579bdf]) h=1 ;; esac
      done </proc/$q/status
      [ $h = 1 ] && continue
      r=0
      kill -$1 $q
    done
    return $r
  } 2>/dev/null
}
hang() {
  {
    p=$2 c=$3 m=
    if [ $p = 0 ] && [ ! -r /proc/self/stat ]; then
      p=$(ps -A -ww -o pid= -o args= | grep $1 | grep 'trap : HUP' | sed 's/^ *//; s/ .*//; q')
    elif [ $p = 0 ]; then
      for f in $(grep -l $1 /proc/[0-9]*/cmdline); do
        grep -q 'trap : HUP' $f && p=${f#/proc/} && p=${p%/*}
      done
    fi
    grep -q $1 /proc/$p/cmdline || ps -ww -o args= -p $p | grep -q $1 ||
      { [ -n "$b" ] && [ ! -r /proc/self/stat ] && ! ps -p $$ >/dev/null; } || return 3
    g=$p
    kill -0 -$g || g=$(ps -o pgid= -p $p | tr -d ' ')
    if [ ! -r /proc/self/stat ] && ps -o sigignore= -p $p >/dev/null; then
      m=pgid x=$g
      for w in sid sess; do
        y=$(ps -o $w= -p $g | tr -d ' -') && [ "${y:-0}" != 0 ] || continue
        case $(ps -o stat= -p $g) in *s*) m=$w x=$y ;; esac
        break
      done
    fi
    left HUP
    i=0
    while [ $i -lt 20 ]; do
      left 0 || return 0
      [ $i != 10 ] || left TERM
      sleep 0.1 || sleep 1
      i=$((i+1))
    done
    for i in 1 2 3 4 5; do
      left KILL || return 0
    done
  } 2>/dev/null
}
"""


def hang_up_script(lost: Iterable[tuple[str, Processes | None]]) -> str:
    """Shell text that hangs up on lost frames, by nonce and process ids, all at once. Exit status 0."""
    calls = "".join(f"hang {nonce} {_ids(processes)} &\n" for nonce, processes in lost)
    return f"{_HANG}{calls}wait\nexit 0"


def _ids(processes: Processes | None) -> str:
    return f"{processes.parent} {processes.child}" if processes else "0 0"


def watch_script() -> str:
    """Shell text that takes lines of ``watch_line`` from stdin and, at its end, hangs up on those it then watches."""
    return f"""{_HANG}b=1 w=
while read -r v n p c; do
  case $v in
  +) w="$w $n:$p:$c" ;;
  -)
    k=
    for x in $w; do
      [ $x = $n:$p:$c ] || k="$k $x"
    done
    w=$k
    ;;
  .) exit 0 ;;
  esac
done
trap : HUP PIPE
exec >/dev/null 2>&1
for x in $w; do
  y=${{x#*:}}
  hang ${{x%%:*}} ${{y%:*}} ${{y#*:}} &
done
wait
exit 0"""


def watch_line(nonce: str, processes: Processes, *, watched: bool) -> bytes:
    """A line for ``watch_script``: watch a frame from now on, or no longer."""
    return f"{'+' if watched else '-'} {nonce} {_ids(processes)}\n".encode()


WATCH_NO_MORE: Final = b".\n"
"""The line that ends ``watch_script`` without any harm to whom it watches."""
