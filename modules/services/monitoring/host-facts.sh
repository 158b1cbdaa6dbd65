# shellcheck shell=bash
# pantheros-host-facts FOLDER [CERTIFICATE]...: writes facts that no collector of the node exporter has to a file
# for its textfile collector. BOOTED, CURRENT and PROFILE replace the system's links in tests.
folder=$1
shift
booted=${BOOTED:-/run/booted-system}
current=${CURRENT:-/run/current-system}
profile=${PROFILE:-/nix/var/nix/profiles/system}

real() {
  readlink --canonicalize-existing -- "$1"
}

# Compares the parts that only a reboot replaces; a part that one of the systems lacks is not compared.
reboot=0
for part in kernel kernel-modules initrd; do
  if [ -e "$current/$part" ] && [ -e "$booted/$part" ]; then
    wanted=$(real "$current/$part")
    running=$(real "$booted/$part")
    [ "$wanted" = "$running" ] || reboot=1
  fi
done
# An assignment, so that a dangling link ends this script; a test would take it for another system.
active=$(real "$current")
next=$(real "$profile")
default=0
if [ "$active" = "$next" ]; then
  default=1
fi

# Label values need a backslash before quotes and backslashes (Prometheus's text format).
label() {
  local value=${1//\\/\\\\}
  echo "${value//\"/\\\"}"
}

temporary=$(mktemp "$folder/.pantheros_host.XXXXXX")
trap 'rm -f -- "$temporary"' EXIT
{
  cat <<END
# HELP pantheros_reboot_required Whether kernel, modules or initrd of the running configuration wait for a reboot.
# TYPE pantheros_reboot_required gauge
pantheros_reboot_required $reboot
# HELP pantheros_running_is_boot_default Whether the running configuration is the one that would boot.
# TYPE pantheros_running_is_boot_default gauge
pantheros_running_is_boot_default $default
END
  if [ $# -gt 0 ]; then
    cat <<END
# HELP pantheros_certificate_expiry_timestamp_seconds When the certificate expires; 0 if it cannot be read.
# TYPE pantheros_certificate_expiry_timestamp_seconds gauge
END
  fi
  for certificate in "$@"; do
    end=0
    if text=$(openssl x509 -noout -enddate -in "$certificate"); then
      end=$(date --date="${text#notAfter=}" +%s)
    fi
    echo "pantheros_certificate_expiry_timestamp_seconds{path=\"$(label "$certificate")\"} $end"
  done
} >"$temporary"
chmod 0644 "$temporary"
mv -- "$temporary" "$folder/pantheros_host.prom"
trap - EXIT
