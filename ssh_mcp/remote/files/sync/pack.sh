# shellcheck shell=sh
# Packs the files below the directory $1 whose names arrive on stdin, each ended by NUL, onto stdout. $2: tar's dialect.
# Other tars than GNU's get the names as arguments: then it may be several archives, one behind the other.
cd -P -- "$1" || exit 66
[ "$(pwd -P)" = "$1" ] || exit 66
unset TAR_OPTIONS
case $2 in
gnu) exec tar --create --no-recursion --hard-dereference --null --verbatim-files-from --files-from=- --file=- ;;
bsd) exec xargs -0 tar -c -n -f - ;;
*) exec xargs -0 tar -c -f - ;;
esac
