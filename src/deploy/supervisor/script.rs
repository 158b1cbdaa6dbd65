//! The supervisor: a POSIX shell script, joined from parts. `tools/supervisor` reads the list of parts from this file.

/// The script that is copied to hosts. It uses no program of the new system.
///
/// Each part but the first begins with a line that names its file, so that `tools/supervisor LINE` can convert a line of
/// the joined script to a line of a part.
pub const SUPERVISOR_SCRIPT: &str = concat!(
    include_str!("script/prelude.sh"),
    include_str!("script/clock.sh"),
    include_str!("script/process.sh"),
    include_str!("script/spec.sh"),
    include_str!("script/state.sh"),
    include_str!("script/lock.sh"),
    include_str!("script/run.sh"),
    include_str!("script/boot.sh"),
    include_str!("script/access.sh"),
    include_str!("script/rollback.sh"),
    include_str!("script/worker.sh"),
    include_str!("script/guardian.sh"),
    include_str!("script/begin.sh"),
    include_str!("script/signature.sh"),
    include_str!("script/commands.sh"),
    include_str!("script/main.sh"),
);

#[cfg(test)]
mod tests {
    use super::SUPERVISOR_SCRIPT;

    #[test]
    fn every_part_is_in_it_once_and_names_itself() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deploy/supervisor/script");
        let mut lines = 0;
        for part in std::fs::read_dir(folder).unwrap() {
            let part = part.unwrap();
            let text = std::fs::read_to_string(part.path()).unwrap();
            let name = part.file_name().into_string().unwrap();
            let header = if name == "prelude.sh" { "#!/bin/sh\n".into() } else { format!("# --- {name}: ") };
            assert!(text.starts_with(&header), "{name} has to start with {header:?}");
            assert_eq!(SUPERVISOR_SCRIPT.matches(&text).count(), 1, "{name}");
            lines += text.lines().count();
        }
        assert_eq!(lines, SUPERVISOR_SCRIPT.lines().count());
    }
}
