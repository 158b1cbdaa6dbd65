# --- access.sh: what the new system can take away: the supervisor's view of the file systems, and sshd.

# systemd starts the supervisor with a mount namespace of its own (`MountFlags=private`), so that it still sees its folder and
# the store if the new system mounts something over them.
has_own_mounts() {
  mounts=$(readlink /proc/self/ns/mnt) && [ "$mounts" != "$(readlink /proc/1/ns/mnt)" ] && command -v nsenter >/dev/null
}
# Runs a program with the machine's mounts.
with_machine_mounts() {
  if has_own_mounts; then nsenter --target 1 --mount -- "$@"; else "$@"; fi
}
# Sets `count` to the number of mounts at $2 in the table of the process $1.
count_mounts() {
  count=0
  while read -r _ _ _ _ point _; do
    if [ "$point" = "$2" ]; then count=$((count + 1)); fi
  done <"/proc/$1/mountinfo"
}
# Unmounts what was mounted since the supervisor began over the folders that the deployment and its commands need.
uncover() {
  has_own_mounts || return 0
  for folder in /nix /nix/store /nix/var /var /var/lib /var/lib/pantheros "$base" "$run"; do
    count_mounts self "$folder"
    known=$count
    count_mounts 1 "$folder"
    while [ "$count" -gt "$known" ]; do
      timeout -k 1 20 nsenter --target 1 --mount -- umount "$folder" 2>/dev/null || break
      add_message "What the new system mounted over $folder was unmounted."
      count=$((count - 1))
    done
  done
}

# Whether something listens on the TCP port of the sshd over which the deployment came; also if that port is not known. In
# the kernel's table (proc_pid_net(5)), ports are hexadecimal and 0A is the state of a listening socket.
sshd_listens() {
  [ -n "$ssh_port" ] || return 0
  hexadecimal=$(printf '%04X' "$ssh_port")
  grep -qE "^ *[0-9]+: [0-9A-F]+:$hexadecimal [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
# Starts the previous system's sshd if it does not listen where it did before the deployment.
ensure_sshd() {
  if wait_for 5 sshd_listens || ! [ -d /run/systemd/system ]; then return; fi
  unit=sshd.service
  if [ -e "$previous/etc/systemd/system/sshd.socket" ]; then unit=sshd.socket; fi
  timeout -k 1 20 systemctl reset-failed "$unit" sshd.service 2>/dev/null
  timeout -k 1 30 systemctl start "$unit"
  if wait_for 5 sshd_listens; then
    add_message "sshd did not listen on port $ssh_port any more, and was started."
  else
    add_message "sshd does not listen on port $ssh_port any more, and could not be started."
  fi
}
# Starts the system bus, without which switch-to-configuration does nothing. systemctl needs no bus if root calls it.
ensure_bus() {
  [ -d /run/systemd/system ] || return 0
  timeout -k 1 20 systemctl --quiet is-active dbus.socket || timeout -k 1 30 systemctl start dbus.socket
}
