//! The bounds of values in a settings file, the same for every file.

use super::deploy::LONGEST_PLAN_MINUTES;
use super::file::SettingsFile;

/// Checks the values of one file.
///
/// # Errors
/// A sentence that names the setting and the allowed values.
pub(super) fn check(file: &SettingsFile) -> Result<(), String> {
    let limits = &file.limits;
    for (value, name, most) in [
        (limits.evaluation_workers as u64, "limits.evaluation_workers", 256),
        (limits.message_kib as u64, "limits.message_kib", 64 * 1_024),
        (limits.build_seconds, "limits.build_seconds", 604_800),
        (limits.evaluation_seconds, "limits.evaluation_seconds", 86_400),
    ] {
        if value > most {
            return Err(format!("`{name}` is {value}; the largest value is {most}"));
        }
    }
    for (value, name) in
        [(limits.concurrent_calls, "limits.concurrent_calls"), (limits.message_kib, "limits.message_kib")]
    {
        if value == 0 {
            return Err(format!("`{name}` must be 1 or more"));
        }
    }
    if !(1..=LONGEST_PLAN_MINUTES).contains(&file.deploy.plan_minutes) {
        return Err(format!("`deploy.plan_minutes` must be between 1 and {LONGEST_PLAN_MINUTES}"));
    }
    if file.deploy.approve_by.as_ref().is_some_and(|by| by.is_empty()) {
        return Err(
            "`deploy.approve_by` is empty, so no plan could be approved; to forbid deployments, disable \
             `deploy` and `rollback_host` (`tools.exclude`)"
                .to_owned(),
        );
    }
    Ok(())
}
