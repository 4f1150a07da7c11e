# shellcheck shell=sh
# All entries of the directory $1: name, kind, size, mode, time and where a link leads, each behind a NUL.
# Exit 70: missing, 72: the path leads elsewhere, 74: no directory, 75: failed.
[ -e "$1" ] || exit 70
[ -d "$1" ] || exit 74
cd -P -- "$1" || exit 75
[ "$(pwd -P)" = "$1" ] || exit 72
if find . -maxdepth 0 -printf '' 2>/dev/null; then
  exec find . -maxdepth 1 -mindepth 1 -printf '%f\0%y\0%s\0%m\0%T@\0%l\0'
fi
for f in .* *; do
  case $f in .|..) continue ;; esac
  [ -e "./$f" ] || [ -h "./$f" ] || continue
  l='' y=o
  if [ -h "./$f" ]; then y=l; l=$(readlink -- "./$f"); elif [ -d "./$f" ]; then y=d; elif [ -f "./$f" ]; then y=f; fi
  s=$(stat -c '%s %a %Y' -- "./$f" 2>/dev/null || stat -f '%z %Lp %m' -- "./$f") || continue
  m=${s#* }
  printf '%s\0%s\0%s\0%s\0%s\0%s\0' "$f" "$y" "${s%% *}" "${m% *}" "${s##* }" "$l"
done
