# shellcheck shell=sh disable=SC2086,SC2034
# Takes lines from stdin: "+ NONCE PARENT CHILD" to watch a frame, "-" no longer to, "." to end. At the end of its stdin,
# which is the end of its connection, it hangs up on those that it still watches.
b=1 all_watched=''
while read -r v n p c; do
  case $v in
  +) all_watched="$all_watched $n:$p:$c" ;;
  -)
    k=''
    for w in $all_watched; do
      [ $w = $n:$p:$c ] || k="$k $w"
    done
    all_watched=$k
    ;;
  .) exit 0 ;;
  esac
done
trap : HUP PIPE
exec >/dev/null 2>&1
for w in $all_watched; do
  y=${w#*:}
  hang ${w%%:*} ${y%:*} ${y#*:} &
done
wait
exit 0
