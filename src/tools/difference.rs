//! What changes between two systems, in an answer.

use crate::deploy::{Change, Diff, EffectStyle, Effects, effect_lines};
use crate::text;

/// Maximum number of changed packages of a host in the answer; a plan has all.
const MAX_PACKAGES: usize = 40;
/// Maximum number of changed packages of a host in the text.
const MAX_NAMED_PACKAGES: usize = 15;
/// Maximum number of entries in each list of effects of a host in the answer.
const MAX_EFFECTS: usize = 12;
/// Maximum number of entries of each list of effects in the text.
const MAX_NAMED_EFFECTS: usize = 6;

/// The difference with fewer packages and effects, as an answer has it.
#[must_use]
pub fn for_answer(mut diff: Diff) -> Diff {
    let beyond = diff.packages.len().saturating_sub(MAX_PACKAGES);
    diff.packages.truncate(MAX_PACKAGES);
    diff.more_packages += beyond as u64;
    if let Some(effects) = &mut diff.effects {
        shorten_effects(effects);
    }
    diff
}

fn shorten_effects(effects: &mut Effects) {
    fn shorten<T>(list: &mut Vec<T>, more: &mut u64) {
        *more += list.len().saturating_sub(MAX_EFFECTS) as u64;
        list.truncate(MAX_EFFECTS);
    }
    // `unknown` has at most two entries for each part.
    let Effects { ports, users, groups, keys, mounts, kernel_params, files, mutable_users: _, unknown: _ } =
        effects;
    if let Some(ports) = ports {
        for list in [&mut ports.opened, &mut ports.closed, &mut ports.kept_open] {
            shorten(list, &mut ports.more);
        }
    }
    for changes in [users, groups, mounts].into_iter().flatten() {
        shorten(&mut changes.added, &mut changes.more);
        shorten(&mut changes.removed, &mut changes.more);
        shorten(&mut changes.changed, &mut changes.more);
    }
    if let Some(keys) = keys {
        shorten(&mut keys.added, &mut keys.more);
        shorten(&mut keys.removed, &mut keys.more);
    }
    if let Some(params) = kernel_params {
        shorten(&mut params.added, &mut params.more);
        shorten(&mut params.removed, &mut params.more);
    }
    if let Some(files) = files {
        for list in [&mut files.added, &mut files.removed, &mut files.changed] {
            shorten(list, &mut files.more);
        }
    }
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
    let style = EffectStyle {
        most: MAX_NAMED_EFFECTS,
        most_files: MAX_NAMED_EFFECTS,
        clean: |said| said.split(' ').map(text::word).collect::<Vec<_>>().join(" "),
    };
    match &diff.effects {
        Some(effects) => {
            let said = effect_lines(effects, style);
            lines.extend(said.into_iter().map(|(label, said)| format!("  {label}: {said}")));
        }
        None => lines.push("  ports, users, mounts and files below /etc were not compared".to_owned()),
    }
    lines
}
