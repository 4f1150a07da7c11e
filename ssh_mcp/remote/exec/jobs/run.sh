# shellcheck shell=sh
# The job's own shell. It leads a session of its own where the host has setsid(1).
# $1  the job's id      $2  a mark that nobody else knows      $3  the umask of the login
# stdin: lines for sudo that it did not take, a line with the mark, "1" where the command is one line of ASCII or "-",
# the command, and a line with the mark. So half a command never runs. stderr begins with two lines, "MARK PID" before
# and "MARK." after the command has come.
printf '%s %s\n' "$2" $$ >&2
while IFS= read -r l; do
  if [ "$l" = "$2" ]; then break; fi
done
IFS= read -r l
# No program has to be started for what most commands are.
if [ "$l" = 1 ]; then
  IFS= read -r c && IFS= read -r l
  [ "$l" = "$2" ] || exit 125
else
  c=$(cat)
  case $c in *"$2") ;; *) exit 125 ;; esac
  c=${c%?"$2"}
fi
exec </dev/null
umask "$3"
SSH_MCP_JOB=$1
export SSH_MCP_JOB
printf '%s.\n' "$2" >&2
shift $#
eval "unset c l;$c"
