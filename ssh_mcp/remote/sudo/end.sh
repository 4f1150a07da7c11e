# shellcheck shell=sh disable=SC2034,SC2086,SC2154
# PID GROUP SESSION, as root_shell.sh reports them: ends a program that runs as root: TERM, two seconds of grace, KILL,
# for the group and the session where they are proven (not 0), and for what descends from PID in any case. The leader of
# the session lives on: it reports the exit status. It needs walk.sh, which goes before it.
g=$2 s=$3 tree=" $1: " k=pgid
# send SIGNAL: fails where nobody is left. Who was seen below PID stays ours when its parent ends; the time of its start
# distinguishes it from a stranger with its number.
send() {
  {
    [ $g = 0 ] || kill -$1 -$g
    sig=$1 r=1 more=1
    walk
    while [ -n "$more" ]; do
      more=''
      set -- $all
      while [ $# -gt 4 ]; do
        case $tree in
        *" $1:$5 "*) ;;
        *" $1: "* | *" $2:"*) tree="$tree$1:$5 " more=1 ;;
        esac
        shift 5
      done
    done
    set -- $all
    while [ $# -gt 4 ]; do
      if [ $3 = $g ]; then
        r=0
      elif [ $s != 0 ] && [ $4 = $s ]; then
        [ $1 = $s ] || { kill -$sig $1 && r=0; }
      else
        case $tree in *" $1:$5 "*) kill -$sig $1 && r=0 ;; esac
      fi
      shift 5
    done
    return $r
  } 2>/dev/null
}
send TERM
tree=" ${tree#" "*" "}"
# Fewer looks as time goes on: each walks over all processes, and KILL must come before the caller gives up.
for i in 0.05 0.1 0.15 0.2 0.5 1; do
  send 0 || break
  sleep $i 2>/dev/null || sleep 1
done
for i in 1 2 3; do send KILL || break; done
exit 0
