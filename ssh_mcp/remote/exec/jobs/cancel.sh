# shellcheck shell=sh disable=SC2154
# $1 id: ends one job.
found "$1"
i=0 sig=
while [ "$state" = running ] && [ "$group" = - ] && [ $i -lt 50 ]; do
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i + 1))
  look "$1" || break
done
if [ "$state" = running ]; then
  : >"$d/cancel"
  sig=$(sh -c "$end_sh" ssh-mcp-end "$group" "" "$id") || rm -f "$d/cancel"
  await 5000
fi
echo "signal ${sig:--}"
show
