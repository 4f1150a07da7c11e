# shellcheck shell=sh
# After programs/canonical.sh, whose first argument is the root of the search.
first=$1
# Enters the directory, or that of the file: afterwards no link on the way there can lead elsewhere.
enter() {
  d=$first
  [ -f "$first" ] && d=${first%/*}
  [ -n "$d" ] || d=/
  [ -d "$d" ] && cd -P -- "$d" && [ "$(pwd -P && printf .)" = "$d
." ]
}
