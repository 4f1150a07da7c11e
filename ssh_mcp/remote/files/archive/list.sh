# shellcheck shell=sh
# Lists the archive $2. $1: tar or zip.
LC_ALL=C
export LC_ALL
case $1 in
zip) exec unzip -Z -- "$2" </dev/null ;;
*) exec tar --list --verbose --numeric-owner --quoting-style=c --force-local --file="$2" </dev/null ;;
esac
