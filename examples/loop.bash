#!/usr/bin/env bash
# Compresses each log of this directory. The shortest script that can be stopped between two files.
set -euo pipefail
trap 'rm -f part.gz' EXIT                       # cleans up, however the script ends
files=(*.log) n=0
for file in "${files[@]}"; do
    progrun report "$n/${#files[@]}" -- "$file"  # after Ctrl-C, the script ends here
    gzip <"$file" >part.gz
    mv part.gz "$file.gz"
    n=$((n + 1))
done
progrun report "$n/${#files[@]}"                 # all of them
