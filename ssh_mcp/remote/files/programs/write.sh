# shellcheck shell=sh disable=SC2154  # links is set by row
# Creates or replaces the file $2 in the directory $1 with stdin, which has $4 bytes, over the temporary name $3.
# $5 the mode, or "keep"; $6 user:group, either side empty to keep it; $7 the mode of a new file; $8 the state in which
# an old file was read, or empty; $9 temporaries that an earlier write had to leave.
# The directory is entered first and names are relative from then on: whoever puts a link in its place does not lead
# root elsewhere. Prints "links N" (names of the replaced file), "lost" and "mounted" where they apply.
# Exit 70: no directory, 71: no regular file, 72: the path leads elsewhere, 73: a directory, 75: failed, 76: the file
# changed, 65: the access list cannot be kept.
d=$1 n=$2 t=$3
[ -d "$d" ] || exit 70
cd -P -- "$d" || exit 75
[ "$(pwd -P)" = "$d" ] || exit 72
find . -maxdepth 1 -name '.ssh-mcp-tmp.*' -type f -mmin +60 -exec rm -f -- {} + 2>/dev/null
for x in $9; do rm -f -- "./$x"; done
trap 'rm -f -- "./$t"' EXIT
trap 'exit 75' HUP INT TERM PIPE
umask 077
set -C
cat >"./$t" || exit 75
set +C
[ "$(wc -c <"./$t")" -eq "$4" ] || exit 75
[ -h "./$n" ] && exit 72
[ -d "./$n" ] && exit 73
mode=$5 owner=$6 asked=$5 old=
if [ -e "./$n" ]; then
  [ -f "./$n" ] || exit 71
  old=1
  s=$(state "./$n") || exit 75
  [ -z "$8" ] || [ "$s" = "$8" ] || exit 76
  # shellcheck disable=SC2086  # six words
  set -- $s
  [ "$mode" != keep ] || { mode=$2; case $owner in :) ;; *) mode=$(printf %o $((0$2 & 01777))) ;; esac; }
  case $owner in
    :) owner=$3:$4 ;;
    :*) owner=$3$owner ;;
    *:) owner=$owner$4 ;;
  esac
else
  [ -z "$8" ] || exit 76
  [ "$mode" != keep ] || mode=$7
  case $owner in :) owner= ;; *:) owner=${owner%:} ;; esac
fi
[ -z "$owner" ] || chown -- "$owner" "./$t" || exit 75
if [ -n "$old" ]; then
  keep "./$n" "./$t" || exit 65
  echo "links $links"
fi
chmod -- "$mode" "./$t" || exit 75
sync "./$t" 2>/dev/null || sync
said=$(LC_ALL=C mv -fT -- "./$t" "./$n" 2>&1) || { [ ! -d "./$n" ] && said=$(LC_ALL=C mv -f -- "./$t" "./$n" 2>&1); } ||
  case $said in
    *busy*) # a mount point (EBUSY, rename(2)), such as a container's /etc/hosts: its content is overwritten
      cat <"./$t" >"./$n" || exit 75
      [ "$asked" = keep ] || chmod -- "$mode" "./$n" || exit 75
      rm -f -- "./$t"
      echo mounted
      ;;
    *) printf '%s\n' "$said" >&2; exit 75 ;;
  esac
trap - EXIT
