# Has each deployment that this start of the machine cut short come to its end: a system that was started to be
# tried is left again unless it is confirmed, and what the machine went back from is cleared away.
failed=0
for supervisor in /var/lib/pantheros/deployments/plan-*/supervisor; do
  # Without any the pattern stands for itself.
  [ -f "$supervisor" ] || continue
  sh "$supervisor" state "${supervisor%/supervisor}" >/dev/null || failed=1
done
exit "$failed"
