# shellcheck shell=sh disable=SC2154
# All jobs of the owner. What began to be a job five minutes ago and is none is removed.
for d in "$jobs"/*/; do
  d=${d%/}
  if [ -e "$d/pid" ]; then
    if look "${d##*/}"; then show; fi
  elif [ -n "$(find "$d" -prune -mmin +5 2>/dev/null)" ]; then
    rm -rf "$d"
  fi
done
echo "now $(date +%s)"
