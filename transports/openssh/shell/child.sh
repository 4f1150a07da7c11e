# shellcheck shell=sh disable=SC1083
# Child of a frame, with $1 NONCE: reports process ids, then takes one line from stdin and evaluates it. Nobody who reads
# the marks, no command: a session that was closed before it began does nothing. "read" takes byte by byte and leaves the
# rest of stdin alone. 125 is frame.EATEN_STATUS.
# A line with a prelude may come before it: text that the command evaluates, sent when nobody waited for it.
# A shell whose printf is not a builtin (mksh, OpenBSD's ksh) takes escaped text of an argument's size only: 126 otherwise.
_k=$1;
shift;
echo "$_k" "$PPID" "$$" || exit;
echo "$_k" "$PPID" "$$" >&2 || exit;
IFS= read -r _c || _c=;
case $_c in $_k=*) _p=${_c#*=}; IFS= read -r _c || _c= ;; esac;
case $_c in
$_k.*) _c=${_c#*.} ;;
$_k,?*?"$_k"?) _c=${_c#*,?}; _c=${_c%?"$_k"?} ;;
$_k%*%"$_k"_) _c=${_c#*%}; _c=$(printf %b "${_c%?"$_k"_}.") || exit 126; _c=${_c%.} ;;
*) echo "$_k" >&2; exit 125 ;;
esac;
eval "unset _k _c;$_c"
