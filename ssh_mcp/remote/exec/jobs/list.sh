# shellcheck shell=sh disable=SC2154
# All jobs of the owner. What began to be a job five minutes ago and is none is removed.
# Files of ours that are large were made by somebody else; reading their lines would take minutes.
large=$(find "$jobs" -type f ! -name 'std*' -size +256 2>/dev/null)
for d in "$jobs"/*/; do
  d=${d%/}
  case $large in *"$d/"*) continue ;; esac
  if [ -e "$d/pid" ]; then
    if look "${d##*/}"; then show; fi
  elif [ -n "$(find "$d" -prune -mmin +5 2>/dev/null)" ]; then
    rm -rf "$d"
  fi
done
echo "now $(date +%s)"
