# shellcheck shell=sh disable=SC2086,SC2154
# NONCE PARENT CHILD CERTAIN: ends a frame: TERM, two seconds of grace, KILL. 0: it is gone; 3: it was not there.
# kill -0 also finds zombies, which a container's careless init leaves lying about: after a while, look closer.
frame $1 $2 $4 || exit 3
c=$3
lives() {
  if [ -n "$g" ]; then
    if kill -0 -$g 2>/dev/null; then
      [ $i -gt 2 ] && [ -r /proc/self/stat ] || return 0
      send 0
      return
    fi
    send 0 group
    return
  fi
  send 0
}
if [ -n "$g" ]; then
  kill -TERM -$g || exit 3
  send TERM group
else
  send TERM || kill -TERM $c
fi 2>/dev/null
i=0
while [ $i -lt 20 ]; do
  lives || exit 0
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i+1))
done
if [ -n "$g" ]; then
  kill -KILL -$g
  send KILL group
else
  for i in 1 2 3 4 5; do send KILL || break; done
  kill -KILL $c $p
fi 2>/dev/null
exit 0
