# --- spec.sh: parses the spec, `key=value` lines; refuses any unexpected line or value.

matches() {
  # shellcheck disable=SC2254 # a pattern is wanted
  case $1 in '' | *[!$2]*) return 1 ;; esac
}
is_id() {
  rest=${1#plan-}
  [ "plan-$rest" = "$1" ] && [ ${#rest} -eq 26 ] && matches "$rest" a-z2-7
}
is_store_path() {
  rest=${1#/nix/store/}
  [ "/nix/store/$rest" = "$1" ] && [ ${#rest} -le 211 ] && matches "$rest" '0-9a-zA-Z+._?=-' || return 1
  hash=${rest%%-*}
  [ ${#hash} -eq 32 ] && [ ${#rest} -gt 33 ] && matches "$hash" 0-9a-z
}
is_profile() {
  rest=${1#/nix/var/nix/profiles/}
  [ "/nix/var/nix/profiles/$rest" = "$1" ] && matches "${rest#system-profiles/}" '0-9a-zA-Z_-'
}
is_port() { matches "$1" 0-9 && [ ${#1} -le 5 ] && [ "${1#0}" = "$1" ] && [ "$1" -le 65535 ]; }
is_seconds() { matches "$1" 0-9 && [ ${#1} -le 5 ] && [ "${1#0}" = "$1" ] && [ "$1" -le 86400 ]; }
is_nonce() { [ ${#1} -ge 16 ] && [ ${#1} -le 128 ] && matches "$1" '0-9a-zA-Z_-'; }
is_path() { case $1 in /*) [ ${#1} -le 1024 ] && matches "$1" '0-9a-zA-Z/._+-' ;; *) return 1 ;; esac }

bad_spec() { fail 65 "$dir/spec: $1"; }

# Sets `dir` and `id` from $1, which must be the folder of a deployment.
open_folder() {
  id=${1#"$base/"}
  dir=$base/$id
  is_id "$id" && [ "$dir" = "$1" ] || fail 64 "$1 is not the folder of a deployment ($base/plan-…)"
  [ -d "$dir" ] && [ ! -h "$dir" ] && [ -O "$dir" ] || fail 64 "$dir is not a folder that belongs to root"
  case $(stat -c %A "$dir") in ?????w* | ????????w*) fail 64 "$dir can be written by users other than root" ;; esac
}

read_spec() {
  action='' toplevel='' previous='' profile=/nix/var/nix/profiles/system
  confirm_seconds='' activation_seconds='' reboot_on_failure=0 nonce='' allowed_signers='' wanted_generation='' reverts='' reboot=0 boot_once=0 ssh_port='' seen=' '
  [ -f "$dir/spec" ] && [ ! -h "$dir/spec" ] || bad_spec "missing"
  [ "$(wc -c <"$dir/spec")" -le 8192 ] || bad_spec "longer than 8192 bytes"
  [ "$(tr -d '\000' <"$dir/spec" | wc -c)" -eq "$(wc -c <"$dir/spec")" ] || bad_spec "holds a zero byte"
  number=0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    key=${line%%=*} value=${line#*=}
    case $line in *=*) ;; *) bad_spec "line $number is not key=value" ;; esac
    case $seen in *" $key "*) bad_spec "line $number: given before" ;; esac
    right=yes
    case $key in
      version) [ "$value" = 1 ] || right='' ;;
      id) [ "$value" = "$id" ] || right='' ;;
      action) action=$value && case $value in switch | boot | test | dry-activate) ;; *) right='' ;; esac ;;
      toplevel) toplevel=$value && is_store_path "$value" || right='' ;;
      previous) previous=$value && is_store_path "$value" || right='' ;;
      profile) profile=$value && is_profile "$value" || right='' ;;
      confirm_seconds) confirm_seconds=$value && is_seconds "$value" || right='' ;;
      activation_seconds) activation_seconds=$value && is_seconds "$value" || right='' ;;
      reboot_on_failure) reboot_on_failure=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # An existing generation; the profile is set to it and no new one is created.
      generation) wanted_generation=$value && matches "$value" 0-9 && [ ${#value} -le 9 ] || right='' ;;
      # With the action boot: reboot into the new system, and wait for the confirmation after that.
      reboot) reboot=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # The boot loader supports booting an entry once, and must do so.
      boot_once) boot_once=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # The deployment that this one reverts.
      reverts) reverts=$value && is_id "$value" || right='' ;;
      # The port of the sshd that the deployment came over.
      ssh_port) ssh_port=$value && is_port "$value" || right='' ;;
      nonce) nonce=$value && is_nonce "$value" || right='' ;;
      allowed_signers) allowed_signers=$value && { [ -z "$value" ] || is_path "$value"; } || right='' ;;
      *) bad_spec "line $number: unknown key" ;;
    esac
    [ -n "$right" ] || bad_spec "line $number: not a value for $key"
    seen="$seen$key "
  done <"$dir/spec"
  case $reboot:$action in 1:boot | 0:*) ;; *) bad_spec "only the action boot can reboot" ;; esac
  for key in version id action toplevel previous confirm_seconds activation_seconds nonce; do
    case $seen in *" $key "*) ;; *) bad_spec "$key is missing" ;; esac
  done
}

