# shellcheck shell=sh disable=SC2086
# PID GROUP SESSION, as root_shell.sh reports them: ends a program that runs as root: TERM, two seconds of grace, KILL,
# for the group and the session where they are proven (not 0), and for what descends from PID in any case. The leader of
# the session lives on: it reports the exit status.
g=$2 s=$3 tree=" $1: "
walk() {
  all=''
  if [ ! -r /proc/self/stat ]; then
    all=$(ps -A -o pid= -o ppid= -o pgid= -o stat= | awk '$4 !~ /Z/ {print $1, $2, $3, -1, 0}')
    return
  fi
  for f in /proc/[0-9]*/stat; do
    IFS= read -r l <"$f" || continue
    q=${l%% *}
    set -- ${l##*") "}
    [ "$1" = Z ] || all="$all $q $2 $3 $4 ${20}"
  done
}
# tell SIGNAL: fails where nobody is left. Who was seen below PID stays ours when its parent ends; the time of its start
# tells it from a stranger who got its number.
tell() {
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
tell TERM
tree=" ${tree#" "*" "}"
i=0
while [ $i -lt 20 ]; do
  tell 0 || break
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i+1))
done
for i in 1 2 3; do tell KILL || break; done
exit 0
