# shellcheck shell=sh
# For each argument its canonical path (links followed) and its kind: d, f, o (something else) or - (missing), each
# behind a NUL. What is missing is canonicalised up to its deepest existing ancestor.
# Exit 64: one cannot be resolved.
for p do
  rest=
  while :; do
    # A name may end in a newline, and a substitution would take it: the dot keeps it.
    q=$(readlink -f -- "$p" 2>/dev/null || realpath -- "$p" 2>/dev/null; printf .); q=${q%.}; q=${q%?}
    [ -n "$q" ] && break
    [ "$p" = / ] && exit 64
    last=${p##*/}; p=${p%/*}; [ -n "$p" ] || p=/
    case $last in ''|.) ;; ..) exit 64 ;; *) rest=/$last$rest ;; esac
  done
  [ "$q" = / ] && [ -n "$rest" ] && q=
  if [ -d "$q$rest" ]; then k=d; elif [ -f "$q$rest" ]; then k=f; elif [ -e "$q$rest" ]; then k=o; else k=-; fi
  printf '%s\0%s\0' "$q$rest" "$k"
done
