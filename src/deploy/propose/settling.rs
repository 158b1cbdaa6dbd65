//! How long a new system is watched before it is confirmed.
//!
//! A service that ends again and again runs most of the time if its restarts are far apart, so that one look at it says nothing.

use std::time::Duration;

use crate::deploy::plan::HostPlan;

/// Least and most seconds that a system is watched whose units changed.
const SECONDS: (u32, u32) = (3, 60);
/// Seconds added to the longest `RestartSec`: a service needs some time to end once more.
const SPARE: u32 = 2;
/// Looks and round trips that a confirmation takes besides the watch.
const LOOKS: u32 = 2;
const ROUND_TRIPS: u32 = 4;
/// Time for the keys of a new connection, and for what a busy host does slowly.
const CONNECTING: Duration = Duration::from_secs(2);

/// The seconds to watch a system for whose changed units have these values of `RestartSec`.
pub(super) fn seconds(restarts: impl Iterator<Item = u32>) -> u32 {
    restarts.max().unwrap_or_default().saturating_add(SPARE).clamp(SECONDS.0, SECONDS.1)
}

/// A value of `RestartSec` (systemd.time(7)) in seconds, rounded up; a value that is not understood counts as endless. `None` if
/// it is empty, which sets the default of 100 ms.
pub(super) fn restart_seconds(value: &str) -> Option<u32> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    let time = match value.parse::<f64>() {
        // A number without a unit is in seconds.
        Ok(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        Err(_) => humantime::parse_duration(value).unwrap_or(Duration::MAX),
    };
    Some(u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX))
}

/// Sets how long the new system of a plan is watched. Raises the time for the confirmation if it is shorter than the watch, its
/// looks and its round trips together, and returns the time from before; `None` if it is long enough. `look` is the time that a
/// look at the host takes, and `round_trip` that of a command without work.
pub(super) fn set_watch(
    plan: &mut HostPlan,
    settling: Option<u32>,
    look: Duration,
    round_trip: Duration,
) -> Option<u32> {
    plan.settling_seconds = settling;
    let besides = look * LOOKS + round_trip * ROUND_TRIPS + CONNECTING;
    let besides = u32::try_from(besides.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    let least = settling.unwrap_or_default().saturating_add(besides);
    let given = plan.rollback_timeout;
    if given >= least {
        return None;
    }
    plan.rollback_timeout = least;
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_systemd_are_read() {
        for (value, expected) in [
            ("", None),
            ("5", Some(5)),
            ("0.2", Some(1)),
            ("100ms", Some(1)),
            ("1min 30s", Some(90)),
            ("2h", Some(7_200)),
            ("infinity", Some(u32::MAX)),
            ("5 parsecs", Some(u32::MAX)),
            ("-3", Some(u32::MAX)),
        ] {
            assert_eq!(restart_seconds(value), expected, "{value}");
        }
        assert_eq!(
            [vec![], vec![0], vec![5, 7], vec![u32::MAX]].map(|restarts| seconds(restarts.into_iter())),
            [3, 3, 9, 60]
        );
    }

    #[test]
    fn a_time_to_confirm_that_is_too_short_is_raised() {
        let look = Duration::from_millis(400);
        let round_trip = Duration::from_millis(50);
        let mut plan = crate::deploy::plan::fixture(&["web"]).hosts.remove(0);
        for (given, settling, raised, timeout) in [
            (60, Some(60), Some(60), 63),
            (60, Some(57), None, 60),
            (3, Some(3), Some(3), 6),
            (3, None, None, 3),
        ] {
            plan.rollback_timeout = given;
            assert_eq!(set_watch(&mut plan, settling, look, round_trip), raised);
            assert_eq!((plan.settling_seconds, plan.rollback_timeout), (settling, timeout));
        }
    }
}
