# shellcheck shell=sh
# state FILE: size, mode, owner, group, time and inode, by which a change is noticed; coreutils, BusyBox and the BSDs
state() { stat -c '%s %a %u %g %Y %i' -- "$1" 2>/dev/null || stat -f '%z %Lp %u %g %m %i' -- "$1"; }
