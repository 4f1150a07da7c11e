# shellcheck shell=sh disable=SC2154  # perms and links are set by row
# Prints the permissions of $1 as ls writes them, with the mark of an access list, and how many names the file has.
row "$1"
echo "$perms $links"
