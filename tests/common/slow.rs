//! Hosts that build slowly, for tests of progress and cancellation.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fleet::{Fleet, alive};
use super::mcp::started_by;
use super::wait::wait_until;

/// A fleet of two hosts: `slow` takes a day to build, `chatty` writes log lines for some seconds.
pub struct Slow {
    /// The fleet.
    pub fleet: Fleet,
    marker: String,
}

impl Slow {
    /// A fleet that this Nix has not built before.
    pub fn new(nix: &Path) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // A number of seconds that no other test uses, so that the builder is found by its command line.
        let marker = format!("86400.{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let system = format!("{}-linux", std::env::consts::ARCH);
        let salt = format!("{:?}", std::time::SystemTime::now());
        let host = |name: &str, script: &str| {
            format!(
                r#"nixosConfigurations.{name}.config.system.build.toplevel = derivation {{
                  name = "{name}"; system = "{system}"; builder = "/bin/sh"; salt = "{salt}";
                  args = [ "-c" ''PATH=/bin:/usr/bin; {script}'' ];
                }};"#
            )
        };
        let slow = host("slow", &format!("echo started; sleep {marker} & wait"));
        let chatty = host(
            "chatty",
            r#"step=0; while [ $step -lt 100 ]; do step=$((step + 1)); echo "step $step"; sleep 0.02; done; echo >$out"#,
        );
        let flake = format!("{{ outputs = _: {{ {slow} {chatty} }}; }}");
        Self { fleet: Fleet::committed(nix, &[("flake.nix", &flake)]), marker }
    }

    /// The seconds that the builder of `slow` sleeps; no other process has this argument.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// Whether the builder of `slow` runs.
    pub fn builds(&self) -> bool {
        alive(&format!("sleep\0{}", self.marker))
    }

    /// Waits until the builder of `slow` runs.
    pub fn has_begun(&self) {
        wait_until("the build to begin", || self.builds());
    }

    /// Waits until the builder and everything else that the server started have ended.
    pub fn nothing_left(&self, server: u32) {
        wait_until("the builder to end", || !self.builds());
        wait_until("what the server started to end", || started_by(server).is_empty());
    }

    /// Waits until every process of this fleet has ended, including the server.
    pub fn nobody_left(&self) {
        let folder = self.fleet.folder().display().to_string();
        wait_until("everything to end", || !self.builds() && !alive(&folder));
    }
}
