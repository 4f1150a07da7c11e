# shellcheck shell=sh disable=SC2086,SC2034,SC2154,SC2015
# What belongs to a frame. A group (and the session that it leads) is the frame's only where its number is the frame's
# own first process; elsewhere only what descends from that process is. All words are numbers or the nonce: no quotes.
# It needs walk.sh, which goes before it.

# frame NONCE PARENT CERTAIN: sets p and, where the frame leads a group, g (else empty) and its session's name x.
# After a restart, or behind a name that several machines share, the number may be a stranger's: the nonce decides. Where
# neither /proc nor ps can (a bare chroot), CERTAIN does: the caller is on the connection on which the frame is open.
# ps calls sessions sid or sess; sess may be an address or, kept from us, 0. -ww: some ps cut at 80 columns.
frame() {
  p=$2 g='' k='' x=''
  [ "$p" -gt 1 ] || return 3
  { grep -q "$1" /proc/$p/cmdline || ps -ww -o args= -p $p | grep -q "$1" ||
    { [ "$3" = 1 ] && [ ! -r /proc/self/stat ] && ! ps -p $$ >/dev/null; }; } 2>/dev/null || return 3
  tree=" $p: "
  kill -0 -$p 2>/dev/null && g=$p && x=$p
  if [ ! -r /proc/self/stat ]; then
    k=pgid
    [ -z "$g" ] || for w in sid sess; do
      y=$(ps -o $w= -p $g | tr -d ' -') && [ "${y:-0}" != 0 ] || continue
      case $(ps -o stat= -p $g) in *s*) k=$w x=$y ;; esac
      break
    done
  fi 2>/dev/null
}

# mine SKIP: sets now to the frame's processes, without the group where SKIP is "group". Who has been seen below p stays
# ours when its parent ends; the time of its start distinguishes it from a stranger with its number.
mine() {
  walk
  now=''
  if [ -n "$g" ]; then
    skip=$1
    set -- $all
    while [ $# -gt 4 ]; do
      { [ "$3" = $g ] && [ "$skip" != group ]; } || { [ "$4" = $x ] && [ "$3" != $g ]; } && now="$now $1"
      shift 5
    done
    return
  fi
  was=$tree tree=" $p: " more=1
  while [ -n "$more" ]; do
    more=''
    set -- $all
    while [ $# -gt 4 ]; do
      case $tree in
      *" $1:"*) ;;
      *" $2:"*) tree="$tree$1:$5 " more=1 now="$now $1" ;;
      *) case $was in *" $1:$5 "*) tree="$tree$1:$5 " more=1 now="$now $1" ;; esac ;;
      esac
      shift 5
    done
  done
}

# send SIGNAL SKIP...: signals (0: only looks for) the frame's processes but those listed; fails where there is none.
send() {
  s=$1 r=1
  shift
  mine "$1"
  for q in $now; do
    case " $* " in *" $q "*) continue ;; esac
    kill -$s $q && r=0
  done 2>/dev/null
  return $r
}
