# shellcheck shell=sh
# Ends a job: TERM to all that belongs to it, two seconds of grace, then KILL. Prints the signal that did it.
# $1  process id of the job's shell, which leads its session and process group where the host has setsid(1)
# $2  "check": that session counts only if a process of it carries the id $3 (for root, whom the pid file must not mislead)
# $3  the job's id: where there is /proc, a daemon that the job has put into a session of its own is known by it
# Exit status: 0 ended, 1 something is still there, 3 nothing was there.

# Members are the session, the process group and the descendants of $1, what has the job's id $3 in its environment, and
# what was found before ($2), as long as they live: a child whose parent ended belongs to init. A name with a line feed in
# it makes lines that awk passes over.
members() {
  seen=" $2 "
  # shellcheck disable=SC2013
  [ -z "$3" ] || for f in $(grep -ls "SSH_MCP_JOB=$3" /proc/[0-9]*/environ); do
    f=${f#/proc/} seen="$seen${f%/*} "
  done 2>/dev/null
  {
    if [ -r /proc/self/stat ]; then
      cat /proc/[0-9]*/stat | sed 's/^\([0-9]*\) (.*) \([A-Za-z]\) /\1 \2 /'
    else
      ps -A -o pid= -o stat= -o ppid= -o pgid=
    fi
  } 2>/dev/null | awk -v c="$1" -v seen="$seen" '$2 !~ /^Z/ && $1 > 1 {
      parent[$1] = $3
      if ($1 == c || $4 == c || $5 == c || index(seen, " " $1 " ")) m[$1] = 1
    }
    END {
      do { n = 0; for (q in parent) if (!(q in m) && (parent[q] in m)) { m[q] = 1; n = 1 } } while (n)
      for (q in m) s = s " " q
      print substr(s, 2)
    }'
}
c=$1
if [ "$2" = check ]; then
  c=-
  for q in $(members "$1" "" ""); do
    if grep -q "SSH_MCP_JOB=$3" "/proc/$q/environ" || ps -ww -o args= -p "$q" | grep -q "ssh-mcp-job $3"; then
      c=$1
      break
    fi
  done 2>/dev/null
fi
all=$(members "$c" "" "$3")
[ -n "$all" ] || exit 3
# shellcheck disable=SC2086
kill -TERM $all 2>/dev/null
i=0
while [ $i -lt 20 ]; do
  { [ $i != 0 ] && sleep 0.1; } 2>/dev/null || sleep 0.02 2>/dev/null || sleep 1
  all=$(members "$c" "$all" "$3")
  if [ -z "$all" ]; then
    echo TERM
    exit 0
  fi
  i=$((i + 1))
done
# More than once, because the list may be older than the last fork.
for i in 1 2 3 4 5; do
  # shellcheck disable=SC2086
  kill -KILL $all 2>/dev/null
  sleep 0.02 2>/dev/null || sleep 1
  all=$(members "$c" "$all" "$3")
  if [ -z "$all" ]; then
    echo KILL
    exit 0
  fi
done
exit 1
