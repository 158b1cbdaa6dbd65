# --- lock.sh: the lock, a folder in memory that names the deployment and its processes; a reboot removes it.

holder() {
  held_by=
  { read -r held_by <"$lock/id"; } 2>/dev/null
}
holds_lock() { holder && [ "$held_by" = "$id" ]; }
somebody_works() { plays starter || plays guardian || plays worker; }
# Sets `missing` to a sentence about the first of these programs that is missing, or to nothing.
find_missing() {
  missing=
  for program; do
    command -v "$program" >/dev/null && continue
    case $program in nix-*) package=Nix ;; *) package=util-linux ;; esac
    missing="There is no $program on root's search path, $PATH: install $package on the machine."
    return
  done
}
# Serialises taking the lock and checking its holder. Children must not inherit the descriptor.
mutex() {
  find_missing flock
  [ -z "$missing" ] || fail 69 "$missing"
  mkdir -p "$run" && touch "$run/mutex" || fail 74 "cannot write $run"
  exec 9>"$run/mutex"
  wait_for 20 flock -n 9 || fail 75 "another command holds $run/mutex"
}
let_go() { exec 9>&-; }
take_lock() {
  rm -rf "$run/lock.new" && mkdir "$run/lock.new" && printf '%s\n' "$id" >"$run/lock.new/id" &&
    boot_id >"$run/lock.new/boot_id" && rm -rf "$lock" && mv "$run/lock.new" "$lock" && register starter $$
}
release() {
  end_timer
  rm -f "$roots/$id" "$roots/$id-previous"
  if holds_lock; then
    end_session logger
    rm -rf "$run/lock.old" && mv "$lock" "$run/lock.old" && rm -rf "$run/lock.old"
  fi
}

