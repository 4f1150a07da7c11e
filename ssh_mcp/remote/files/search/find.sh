# shellcheck shell=sh disable=SC2154
# After enter.sh. Lists what lies below the directory, NUL-terminated, links not followed.
# $go 1: list  $dialect gnu, busybox or bsd  $depth levels  $edge -path pattern of that level  $kind f, d, l or -
# $name -name pattern, wider than or equal to the one asked for  $details 1: with type, size and time
if [ "$go" != 1 ] || ! [ -d "$first" ] || ! enter; then exit 0; fi
printf '+\0'
set --
[ "$kind" = - ] || set -- -type "$kind"
[ "$name" = '*' ] || set -- "$@" -name "$name"
if [ "$dialect" = gnu ]; then
  form='M%P\0'
  [ "$details" = 1 ] && form='M%y %s %T@ %P\0'
  exec find . -mindepth 1 -maxdepth "$depth" \( -type d -path "$edge" -printf 'B\0' -false \) -o \( "$@" -printf "$form" \)
fi
find . -mindepth 1 -maxdepth "$depth" "$@" -print0
[ "$details" = 1 ] || exit 0
# The same walk once more: stat prints no name, so that none can break its lines.
printf '\0'
case $dialect in
busybox) exec find . -mindepth 1 -maxdepth "$depth" "$@" -exec stat -c '%f %s %Y' {} + ;;
*) exec find . -mindepth 1 -maxdepth "$depth" "$@" -exec stat -f '%Xp %z %m' {} + ;;
esac
