# Has each deployment that this start of the machine cut short come to its end: a system that was started to be
# tried is left again unless it is confirmed, and what the machine went back from is cleared away.
failed=0
for supervisor in /var/lib/pantheros/deployments/plan-*/supervisor; do
  # Without any the pattern stands for itself.
  [ -f "$supervisor" ] || continue
  folder=${supervisor%/supervisor}
  # One that was sent and never begun has no state, and nothing to finish. The supervisor keeps the state in memory
  # while the disk is full.
  [ -f "$folder/state.json" ] || [ -f "/run/pantheros/${folder##*/}.json" ] || continue
  sh "$supervisor" state "$folder" >/dev/null || failed=1
done
exit "$failed"
