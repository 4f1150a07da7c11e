# shellcheck shell=sh
# Prints the canonical path and the kind (d, f, o: something else, -: missing) of $1 and of each further argument,
# NUL-terminated: nothing of what follows may run before the caller knows where the paths really lead. Exit 64: $1 does
# not resolve. A name may end in a newline, which a substitution would take: the dot keeps it.
first=$1
for p do
  rest=
  while :; do
    q=$(readlink -f -- "$p" 2>/dev/null || realpath -- "$p" 2>/dev/null; printf .)
    q=${q%.}
    q=${q%?}
    [ -n "$q" ] && break
    [ "$p" = / ] && exit 64
    last=${p##*/}
    p=${p%/*}
    [ -n "$p" ] || p=/
    case $last in '' | .) ;; ..) exit 64 ;; *) rest=/$last$rest ;; esac
  done
  [ "$q" = / ] && [ -n "$rest" ] && q=
  if [ -d "$q$rest" ]; then k=d; elif [ -f "$q$rest" ]; then k=f; elif [ -e "$q$rest" ]; then k=o; else k=-; fi
  printf '%s\0%s\0' "$q$rest" "$k"
done
# Enters the directory, or that of the file: afterwards no link on the way there can lead elsewhere.
enter() {
  d=$first
  [ -f "$first" ] && d=${first%/*}
  [ -n "$d" ] || d=/
  [ -d "$d" ] && cd -P -- "$d" && [ "$(pwd -P && printf .)" = "$d
." ]
}
