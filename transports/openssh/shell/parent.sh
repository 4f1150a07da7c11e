# shellcheck shell=sh
# Parent of a frame, with $0 NONCE and $2 CHILD: outlives every signal that can be caught and reports the child's end.
# fd 3 keeps the parent's own notices ("Terminated") out of the command's stderr; the subshell, because dash redirects
# before it forks and would otherwise write its notice there all the same. 87 is frame.FRAME_STATUS.
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2;
exec 3>&2 2>/dev/null;
(exec sh -c "$2" sh "$0" 2>&3 3>&-);
s=$?;
echo "$0:$s";
echo "$0:$s" >&3;
exit 87
