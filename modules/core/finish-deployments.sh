# Finishes each deployment that the reboot interrupted: a system that was booted on trial is rolled back unless it is
# confirmed, and if the machine booted its previous system, the profile and the boot default are restored.
failed=0
for supervisor in /var/lib/pantheros/deployments/plan-*/supervisor; do
  # Without a match, the shell leaves the pattern as it is.
  [ -f "$supervisor" ] || continue
  folder=${supervisor%/supervisor}
  # A deployment that was sent but never begun has no state, and nothing to finish. While the disk is full, the
  # supervisor keeps the state in memory.
  [ -f "$folder/state.json" ] || [ -f "/run/pantheros/${folder##*/}.json" ] || continue
  sh "$supervisor" state "$folder" >/dev/null || failed=1
done
exit "$failed"
