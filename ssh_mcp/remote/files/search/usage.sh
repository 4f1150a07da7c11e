# shellcheck shell=sh disable=SC2154
# After enter.sh. What the entries down to $depth take up, in KiB of disk space, one file system only.
# GNU's du ends its lines with NUL; elsewhere a name with a newline goes on in the next line.
if [ "$go" != 1 ] || ! [ -d "$first" ] || ! enter; then exit 0; fi
printf '+\0'
if [ "$dialect" = gnu ]; then exec du -0 -a -k -x --max-depth="$depth" -- .; fi
exec du -a -k -x -d "$depth" .
