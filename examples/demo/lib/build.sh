# What every derivation here is built with: phases as in nixpkgs, and a tar writer.
#
# A sandboxed build has /bin/sh and nothing else: no mkdir, no chmod, no cp. A shell can still write one
# file, so a tree is written as a tar archive, and Nix's own `builtin:unpack-channel` unpacks it.
# POSIX shell with builtins only, so that it runs in the sandbox's busybox and in dash or bash outside it.
# shellcheck shell=sh disable=SC2154  # the variables come from the derivation
LC_ALL=C

# Tells Nix which phase this is; progress displays show it.
beginPhase() {
  [ -z "${NIX_LOG_FD:-}" ] || printf '@nix { "action": "setPhase", "phase": "%s" }\n' "$1" >&"$NIX_LOG_FD"
}

# Every printable character at (its code - 32): the shell has no other way to know a code.
ascii=' !"#$%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~'

# zeros N: that many NUL bytes.
zeros() {
  left=$1 bytes=
  while [ "$left" -gt 0 ]; do
    bytes="$bytes\\0" left=$((left - 1))
  done
  # shellcheck disable=SC2059  # the format is the point: no variable can hold a NUL
  printf "$bytes"
}

# field TEXT WIDTH: the text, filled up with NULs.
field() {
  if [ ${#1} -ge "$2" ]; then
    echo "too long for a tar archive: $1" >&2
    return 1
  fi
  printf '%s' "$1"
  zeros $(($2 - ${#1}))
}

# entry TYPE MODE PATH TARGET CONTENT: one member of a tar archive (ustar), on standard output.
# TYPE is 0 for a file, 2 for a symbolic link to TARGET.
entry() {
  size=$(printf '%011o' ${#5})
  mtime=00000000000
  # The checksum is the sum of the header's bytes, itself counted as eight blanks.
  rest="${3}${2}00000000000000${size}${mtime}${1}${4}ustar00"
  sum=$((8 * 32))
  while [ -n "$rest" ]; do
    before=${ascii%%"${rest%"${rest#?}"}"*}
    sum=$((sum + ${#before} + 32)) rest=${rest#?}
  done
  field "$3" 100
  field "$2" 8
  field 0000000 8
  field 0000000 8
  field "$size" 12
  field "$mtime" 12
  printf '%06o\0 %s' "$sum" "$1"
  field "$4" 100
  field ustar 6
  printf '00'
  zeros 247
  printf '%s' "$5"
  zeros $(((512 - ${#5} % 512) % 512))
}

for phase in $phases; do
  eval "commands=\${$phase:-}"
  [ -n "$commands" ] || continue
  beginPhase "$phase"
  eval "$commands"
done
