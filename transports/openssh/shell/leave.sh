# shellcheck shell=sh disable=SC2086,SC2154
# leave: for a command that is to outlive its frame. With $_k NONCE it reports the end of the frame with status 0, closes
# all that the session has, and ends the frame's parent, which waits for this shell; only KILL does (parent.sh). That
# it still is the parent, proc_pid_stat(5) tells: a number that init has given away must not be signalled.
leave() {
  echo "$_k:0"; echo "$_k:0" >&2;
  exec </dev/null >/dev/null 2>&1;
  IFS= read -r _p </proc/$$/stat;
  _p=${_p##*") "}; _p=${_p#* };
  [ "${_p%% *}" != $PPID ] || kill -KILL $PPID;
};
