# shellcheck shell=sh disable=SC2086,SC2154
# NONCE PARENT CHILD CERTAIN SIGNAL WHO: signals a frame: "all" of it, or all but its two shells ("children").
# 3: it was not there; no children is not an error.
frame $1 $2 $4 || exit 3
if [ "$6" = children ]; then
  send $5 $2 $3
elif [ -n "$g" ]; then
  kill -$5 -$g || exit 3
  send $5 group
else
  send $5 || kill -$5 $3 2>/dev/null
fi
exit 0
