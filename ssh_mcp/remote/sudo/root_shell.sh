# shellcheck shell=sh disable=SC3043
# MARK LC_ALL FRAME PROGRAM ...: first program below sudo, as root. It says "MARK PID GROUP SESSION" on stderr, waits for
# a line MARK on stdin and then becomes PROGRAM. GROUP and SESSION are 0 unless they are proven to hold nobody else: the
# group of our own number (sudo's use_pty), or of FRAME, the process of the login user that leads the frame's.
LC_ALL=$2
if [ -n "$LC_ALL" ]; then export LC_ALL; else unset LC_ALL; fi
__m=$1 __f=$3 __g=0 __s=0
shift 3
if [ -r /proc/$$/stat ]; then
  read -r _ _ _ _ __g __s _ </proc/$$/stat
else
  __g=$(ps -o pgid= -p $$ | tr -d ' ')
fi
if kill -0 -$$ 2>/dev/null; then
  __g=$$
elif [ "${__g:-0}" != "$__f" ]; then
  __g=0
fi
case $__s in "$__f" | "$PPID" | "$$") ;; *) __s=0 ;; esac
printf '%s %s %s %s\n' "$__m" $$ "$__g" "$__s" >&2
__l=
while IFS= read -r __l; do
  if [ "$__l" = "$__m" ]; then break; fi
  __l=
done
[ "$__l" = "$__m" ] || exit 125
unset __l __m __f __g __s
exec "$@"
