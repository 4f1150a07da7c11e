# shellcheck shell=sh
# Prints the session leaders that this connection's server started in a terminal, from /proc (proc(5), stat); with
# signal $1 and a leader $2: sends it to the group of that one, where it still is one of them.
look() {
    read -r s 2>/dev/null <"/proc/$1/stat" || return 1
    s=${s##*) }
    IFS=' ' read -r _ parent _ _ tty _ <<END
$s
END
}
server=$$
until IFS= read -r name <"/proc/$server/comm" && [ "$name" = dropbear ]; do
    if ! look "$server" || [ "$parent" -le 1 ]; then exit 0; fi
    server=$parent
done
for d in /proc/[0-9]*; do
    p=${d#/proc/}
    if ! look "$p" || [ "$parent" != "$server" ] || [ "$tty" = 0 ]; then continue; fi
    if [ $# = 0 ]; then
        echo "$p"
    elif [ "$p" = "$2" ]; then
        kill -s "$1" -- "-$p"
    fi
done
exit 0
