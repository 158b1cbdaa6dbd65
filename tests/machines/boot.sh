#!/bin/sh
# Runs a test machine until it is switched off: boot.sh FOLDER DEBIAN NIX NAME GATEWAY. FOLDER has its disks, and NIX is the
# folder of the Nix under test. Runs in mount and process namespaces of its own, so that its mounts end with it.
set -eu
folder=$1 debian=$2 nix=$3 name=$4 gateway=$5
# Two machines in one control group would end each other's services.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if [ -e "$hierarchy/cgroup.procs" ]; then
    mkdir -p "$hierarchy/$name"
    # A group of processors takes no process before it has some.
    for of in cpuset.cpus cpuset.mems; do
      if [ -e "$hierarchy/$name/$of" ]; then cat "$hierarchy/$of" >"$hierarchy/$name/$of"; fi
    done
    echo 0 >"$hierarchy/$name/cgroup.procs"
  fi
done
mount -t overlay overlay -o "lowerdir=$debian,upperdir=$folder/disk,workdir=$folder/work" "$folder/root"
# Connects this end of the cable, which exists while the machine runs, and gives it the address of the gateway.
plug_in() {
  until ip link show "ve-$name" >/dev/null 2>&1; do sleep 0.02; done
  ip addr replace "$gateway/30" dev "ve-$name" && ip link set "ve-$name" up
}
while :; do
  plug_in &
  plugging=$!
  code=0
  systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --register=no --keep-unit \
    --capability=all --network-veth --console=pipe --bind="$folder/nix:/nix" --bind-ro="$nix" /sbin/stage2 || code=$?
  kill "$plugging" 2>/dev/null || :
  wait
  # The machine reboots (systemd-nspawn(1), `--keep-unit`).
  [ "$code" -eq 133 ] || exit "$code"
done
