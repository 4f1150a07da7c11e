# shellcheck shell=sh
# Packs the names on stdin (tar: each ended by NUL; zip: by a newline), which are below the directory $3, into the new
# file $2. $1: tar or zip, $4: tar's option for the compression, or empty.
cd -P -- "$3" || exit 66
[ "$(pwd -P)" = "$3" ] || exit 66
set -C
case $1 in
zip) exec zip -q -y -@ "$2" >&2 ;;
*)
  tar --create ${4:+"$4"} --no-recursion --null --verbatim-files-from --files-from=- --force-local --file=- >"$2"
  ;;
esac
