# shellcheck shell=sh disable=SC2034,SC2154
# A job's directory. Behind place.sh.

refused() {
  printf 'refused %s: %s\n' "$jobs" "$1"
  exit 0
}
# begin ID NAMEHASH NAME COMMAND EPOCH user|root: makes the directory d. Sets u to the login's umask, which is 077 then.
# The space for the exit status is taken now: a full disk must not cost it.
begin() {
  d=$jobs/$1
  u=$(umask && umask 077 && exec mkdir "$d" 2>/dev/null) || {
    u=$(umask)
    l=$({ umask 077 && mkdir -p "$jobs" && mkdir "$d"; } 2>&1) || refused "${l##*: }"
  }
  umask 077
  [ -O "$jobs" ] || refused 'it belongs to somebody else'
  {
    printf '%s\n' "$1" "$owner" "$2" "$3" "$4" "$5 $6 $boot" >"$d/about" &&
      printf '%-98s.\n' '' >"$d/status.new" && : >"$d/stdout" && : >"$d/stderr"
  } 2>/dev/null || {
    rm -rf "$d"
    refused 'nothing can be written'
  }
}
# Sets n to the number of jobs that are kept here.
count() {
  set -- "$jobs"/*
  n=$#
}
# Prints lines. A shell whose printf is a program (mksh) would show them among its arguments.
say() {
  if PATH=/nonexistent command -v printf >/dev/null; then
    printf '%s\n' "$@"
  else
    for l in "$@"; do print -r -- "$l"; done
  fi
}
