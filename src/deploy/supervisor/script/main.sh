# --- main.sh: reads the command line.

[ "$(id -u)" -eq 0 ] || fail 77 "only root can deploy"
command=${1:-}
case $command:$# in
  begin:2 | supervise:2 | cancel:2 | seen:2 | alive:2 | withdraw:2 | state:2 | rescue:2 | keep-log:2 | confirm:3 | work:3)
    open_folder "$2"
    case $command in state | keep-log | withdraw) ;; *) read_spec ;; esac
    ;;
  run:[3-9]) open_folder "$2" ;;
  list:1 | sweep:1) ;;
  *) fail 64 "usage: supervisor begin|state|alive|seen|cancel|withdraw DIR | confirm DIR NONCE | list | sweep" ;;
esac
case $command in
  supervise | work)
    trap '' HUP INT QUIT
    # The rollback uses programs of the old system only.
    PATH="$previous/sw/bin:$PATH"
    ;;
esac
forget_state
case $command in
  begin) begin ;;
  supervise) guard ;;
  work) work "$3" ;;
  keep-log) keep_log ;;
  run)
    shift 2
    umask 022
    unset LC_ALL
    register program $$
    # With the machine's mounts, because an activation may mount something.
    if has_own_mounts; then exec nsenter --target 1 --mount -- "$@"; fi
    exec "$@"
    ;;
  confirm) confirm "$3" ;;
  cancel) cancel ;;
  alive | seen) reached "$command" ;;
  withdraw) withdraw ;;
  state) read_spec && show ;;
  rescue) rescue ;;
  list) list ;;
  sweep) sweep ;;
esac
