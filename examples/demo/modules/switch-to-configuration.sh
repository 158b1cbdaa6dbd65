# A stand-in: it says what the real one would do, and does nothing.
case "${1:-}" in
  dry-activate)
    echo "would activate the configuration of @hostName@ (@version@)..." >&2
    echo "would restart the following units: @services@" >&2
    ;;
  test)
    echo "activating the configuration of @hostName@ (@version@)..." >&2
    echo "restarting the following units: @services@" >&2
    ;;
  boot)
    echo "updating the boot menu: @hostName@ (@version@) is what starts next" >&2
    ;;
  switch)
    "$0" boot
    "$0" test
    ;;
  *)
    echo "Usage: $0 [switch|boot|test|dry-activate]" >&2
    exit 1
    ;;
esac
