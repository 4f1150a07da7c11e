# shellcheck shell=sh disable=SC2034,SC2154
# Starts a job of the login user and replies at its end, or running when a line or the end of stdin comes. It waits in
# read, for what the keeper writes into a named pipe: no program but mkdir(1), mkfifo(1), setsid(1) and those of the job.
# Only on hosts for which start.sh replied that this works.
# $1 id   $2 hash of the name or "-"   $3 name   $4 command   $5 epoch   $6 output limit   $7 timeout   $8 mark
# $9 "1" or "-" (run.sh)   ${10} what to run   ${11} bytes of each tail
new=$1 names=$2 bytes=${11}
begin "$1" "$2" "$3" "$4" "$5" user
us=$u
claimed "$new" "$bytes"
d=$jobs/$new
mkfifo "$d/0" "$d/1" "$d/2" "$d/3" 2>/dev/null || {
  drop "$d"
  echo pipeless
  exit 0
}
exec 6<>"$d/3" 8<&0
# Writer and reader of the command wait for each other. exec in them, because a redirected subshell of mksh keeps copies
# of what it closes.
(
  exec >"$d/0"
  say "$8" "$9" "${10}" "$8"
) &
writer=$!
# The first of two setsid(1) leads its group, as in start.sh.
setsid setsid sh -c "$keep_sh" ssh-mcp-job "$new" "$d" "$8" "$6" "$7" "$us" "$run_sh" "$end_sh" "$guard_sh" setsid '' \
  <"$d/0" >&6 2>/dev/null 6>&- 8<&-
(
  exec <&8 >/dev/null 2>&1
  IFS= read -r l
  echo late >&6
) &
timer=$!
exec 8<&-
begun='' due=''
while IFS= read -r l; do
  case $l in
  started) begun=1 ;;
  late) due=1 ;;
  over | failed) break ;;
  esac
  [ -z "$begun" ] || [ -z "$due" ] || break
done <&6
kill "$timer" "$writer" 2>/dev/null
if [ "$l" != failed ] && look "$new"; then
  count
  echo "started - $n quick"
  show
  tails "$bytes"
else
  if [ ! -e "$d/pid" ] || [ "$l" = failed ]; then drop "$d"; fi
  echo failed
fi
