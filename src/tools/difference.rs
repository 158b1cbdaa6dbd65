//! What changes between two systems, in an answer.

use crate::deploy::{Change, Diff};
use crate::text;

/// Maximum number of changed packages of a host in the answer; a plan has all.
const MAX_PACKAGES: usize = 40;
/// Maximum number of changed packages of a host in the text.
const MAX_NAMED_PACKAGES: usize = 15;

/// The difference with fewer packages, as an answer has it.
#[must_use]
pub fn for_answer(mut diff: Diff) -> Diff {
    let beyond = diff.packages.len().saturating_sub(MAX_PACKAGES);
    diff.packages.truncate(MAX_PACKAGES);
    diff.more_packages += beyond as u64;
    diff
}

/// The lines for people.
pub fn render(diff: &Diff) -> Vec<String> {
    let grows = diff.closure_delta_bytes;
    let sign = if grows < 0 { "-" } else { "+" };
    let mut lines = vec![format!(
        "  closure {}, {sign}{}",
        indicatif::HumanBytes(diff.closure_bytes),
        indicatif::HumanBytes(grows.unsigned_abs())
    )];
    let packages: Vec<_> = diff.packages.iter().filter(|p| p.change != Change::Changed).collect();
    for package in packages.iter().take(MAX_NAMED_PACKAGES) {
        let versions = match package.change {
            Change::Added => format!("new {}", package.after.join(", ")),
            Change::Removed => format!("removed {}", package.before.join(", ")),
            _ => format!("{} → {}", package.before.join(", "), package.after.join(", ")),
        };
        lines.push(format!("  {}: {versions}", package.name));
    }
    let beyond = packages.len().saturating_sub(MAX_NAMED_PACKAGES) as u64 + diff.more_packages;
    if beyond > 0 {
        lines.push(format!("  {beyond} more packages"));
    }
    if let Some(units) = &diff.units {
        for (what, list) in [
            ("stop", &units.stop),
            ("start", &units.start),
            ("restart", &units.restart),
            ("reload", &units.reload),
        ] {
            if !list.is_empty() {
                lines.push(format!("  would {what}: {}", text::words(list.iter().map(String::as_str))));
            }
        }
    }
    lines
}
