# shellcheck shell=sh
# Unpacks the archive $2 ($1: tar or zip) into the empty directory $3, no file larger than $4 blocks of 512 bytes.
# The directory is entered under its own name: no link on the way there can lead elsewhere.
LC_ALL=C
export LC_ALL
cd -P -- "$3" || exit 66
[ "$(pwd -P)" = "$3" ] || exit 66
ulimit -f "$4" || exit 70
case $1 in
zip) unzip -q -o -- "$2" </dev/null >&2 || exit 65 ;;
*) tar --extract --no-same-owner --no-same-permissions --force-local --file="$2" </dev/null >&2 || exit 65 ;;
esac
find . -type f -perm -u+s -exec chmod u-s {} +
find . -type f -perm -g+s -exec chmod g-s {} +
