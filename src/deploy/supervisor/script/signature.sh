# --- signature.sh: checks that an accepted signer signed the plan, and that the spec matches it.

# The host's own list of signers overrides the one in the spec.
verify_signature() {
  signers=$allowed_signers
  # A dangling link must not disable the check.
  if [ -e "$host_signers" ] || [ -h "$host_signers" ]; then signers=$host_signers; fi
  [ -n "$signers" ] || return 0
  signature_problem=
  check_signature || refuse 77 signature "$signature_problem"
}
check_signature() {
  signature_problem="The plan is not signed, and this machine wants it signed."
  [ -f "$dir/plan" ] && [ -f "$dir/signature" ] || return 1
  signature_problem="The plan's signature is not one of those this machine accepts."
  principal=$(timeout 30 ssh-keygen -Y find-principals -f "$signers" -s "$dir/signature" 2>/dev/null | head -n 1)
  [ -n "$principal" ] || return 1
  timeout 30 ssh-keygen -Y verify -f "$signers" -I "$principal" -n pantheros-deploy -s "$dir/signature" \
    <"$dir/plan" >/dev/null 2>&1 || return 1
  signature_problem="The signed plan is another one than this deployment."
  # Canonical JSON has sorted keys and escapes quotes in strings, so no string can imitate a key. No other object of a
  # plan has keys of these names.
  # shellcheck disable=SC2020 # both become line breaks
  tr ',{' '\n\n' <"$dir/plan" | tr -d '}]' >"$lock/plan" || return 1
  grep -qxF "\"id\":\"${reverts:-$id}\"" "$lock/plan" && grep -qxF "\"action\":\"$action\"" "$lock/plan" || return 1
  case $reboot in 1) rebooting=true ;; *) rebooting=false ;; esac
  grep -qxF "\"reboot\":$rebooting" "$lock/plan" || return 1
  # Plans are always for the system profile.
  [ "$profile" = /nix/var/nix/profiles/system ] || return 1
  machine=$(cat /etc/machine-id)
  [ -n "$machine" ] || return 1
  covered=''
  forget_host
  while IFS= read -r line; do
    value=${line#*:}
    case $line in
      # The first key of a host in sorted order; `toplevel` ends the comparison.
      '"activation_timeout":'*) forget_host && its_activation=$value ;;
      '"boot_once":'*) its_once=$value ;;
      '"current":'*) its_current=$value ;;
      '"machine_id":'*) its_machine=$value ;;
      '"profile_generation":'*) its_profile_generation=$value ;;
      '"profile_path":'*) its_profile_path=$value ;;
      '"reboot_on_failure":'*) its_reboots=$value ;;
      '"rollback_timeout":'*) its_confirm=$value ;;
      '"source":'*) its_source=$value ;;
      '"generation":'*) its_generation=$value ;;
      '"toplevel":'*) if is_what_was_signed "$value"; then covered=yes; fi ;;
    esac
  done <"$lock/plan"
  [ -n "$covered" ] || return 1
  if [ -n "$reverts" ]; then
    # The signature of a plan with `revert_confirmed` also covers the revert of its own deployment on this machine.
    grep -qxF '"revert_confirmed":true' "$lock/plan" || return 1
    grep -qE '"state":"(confirmed|staged)"' "$base/$reverts/state.json" || return 1
    return 0
  fi
  signature_problem="The signed plan has expired."
  expires=$(sed -n 's/^"expires":"\([0-9TZ:.-]*\)"$/\1/p' "$lock/plan")
  [ -n "$expires" ] && [ "$(date -u +%Y%m%d%H%M%S)" -lt "$(printf %s "$expires" | tr -cd 0-9 | head -c 14)" ]
}

# Clears the values of one host of the signed plan.
forget_host() {
  its_machine='' its_current='' its_once='' its_profile_generation='' its_profile_path='' its_reboots=''
  its_activation='' its_confirm='' its_source='' its_generation=''
}
# Whether the spec matches the host of the plan whose new system is $1. Compares every value that is acted on.
is_what_was_signed() {
  [ "$its_machine" = "\"$machine\"" ] || return 1
  [ "$its_confirm" = "$confirm_seconds" ] && [ "$its_activation" = "$activation_seconds" ] || return 1
  case $its_reboots:$reboot_on_failure in true:1 | false:0) ;; *) return 1 ;; esac
  case $reboot:$its_once:$boot_once in 1:true:1 | 1:false:0 | 0:*:0) ;; *) return 1 ;; esac
  if [ -z "$reverts" ]; then
    [ "$1" = "\"$toplevel\"" ] && [ "$its_current" = "\"$previous\"" ] || return 1
    case $its_source in '"new"') [ -z "$wanted_generation" ] ;; '') [ "$its_generation" = "$wanted_generation" ] ;; *) return 1 ;; esac
    return
  fi
  # A revert starts from the system that the plan deployed, and ends at the previous system and generation.
  case $action:$reboot in boot:0) was_running=$its_current ;; *) was_running=$1 ;; esac
  [ "$its_current" = "\"$toplevel\"" ] && [ "$was_running" = "\"$previous\"" ] || return 1
  if [ "$its_profile_path" != "$its_current" ]; then its_profile_generation=''; fi
  [ "$its_profile_generation" = "$wanted_generation" ]
}

