//! Which tools are enabled: `--read-only`, `--tools`, `--exclude-tools` and their settings.

use std::collections::BTreeSet;

/// The most that a call of a tool can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing but caches: it evaluates.
    Read,
    /// The Nix store of this machine, which it adds to.
    Store,
    /// A host, after a person approved the change.
    Host,
}

/// The machines that a tool can connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine, and what Nix fetches for it.
    Here,
    /// The hosts of the fleet, with the SSH keys of the user who started the server.
    Hosts,
}

/// The rules that disable tools. A disabled tool is not listed, and a call of it is refused.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Only tools that change neither a host nor the store. It applies before the other rules.
    pub read_only: bool,
    /// Only these tools; empty means all.
    pub only: BTreeSet<String>,
    /// All but these tools.
    pub exclude: BTreeSet<String>,
    /// Whether HTTP clients need no token. Every user of this machine can call then, so tools that reach hosts are disabled.
    pub without_token: bool,
}

impl Policy {
    /// Why no call may have this effect; `None` if a call may.
    #[must_use]
    pub fn forbids(&self, effect: Effect) -> Option<&'static str> {
        (self.read_only && effect != Effect::Read)
            .then_some("--read-only allows only calls that change nothing")
    }

    /// Why a tool is disabled; `None` if it is enabled. `least` is the smallest effect that a call of it can have; a call
    /// with a larger effect is checked by [`Policy::forbids`].
    #[must_use]
    pub fn refusal(&self, name: &str, least: Effect, reach: Reach) -> Option<&'static str> {
        if let Some(reason) = self.forbids(least) {
            Some(reason)
        } else if self.without_token && reach == Reach::Hosts {
            Some(
                "it connects to hosts, and every user of this machine can call a server started with --without-token; \
                 start the server without that switch, and give the client the token (`pantheros-mcp token` prints \
                 where it is)",
            )
        } else if self.exclude.contains(name) {
            Some("it is excluded by --exclude-tools or `tools.exclude`")
        } else if !self.only.is_empty() && !self.only.contains(name) {
            Some("it is not among --tools or `tools.only`")
        } else {
            None
        }
    }

    /// The first name in the rules that is no known tool: a typing error must not leave a tool enabled.
    #[must_use]
    pub fn unknown(&self, known: &[&str]) -> Option<&str> {
        self.only.iter().chain(&self.exclude).map(String::as_str).find(|name| !known.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_beats_a_list() {
        let policy = Policy { read_only: true, only: ["build_host".to_owned()].into(), ..Policy::default() };
        assert!(policy.refusal("build_host", Effect::Store, Reach::Here).is_some());
        assert!(policy.refusal("deploy", Effect::Host, Reach::Hosts).is_some());
        assert!(policy.refusal("list_hosts", Effect::Read, Reach::Here).is_some());
        let policy = Policy { read_only: true, ..Policy::default() };
        assert!(policy.refusal("list_hosts", Effect::Read, Reach::Here).is_none());
    }

    #[test]
    fn read_only_is_about_each_call() {
        let policy = Policy { read_only: true, ..Policy::default() };
        assert!(policy.forbids(Effect::Store).is_some() && policy.forbids(Effect::Host).is_some());
        assert!(policy.forbids(Effect::Read).is_none());
        assert!(Policy::default().forbids(Effect::Host).is_none());
    }

    #[test]
    fn exclusion_beats_inclusion() {
        let both: BTreeSet<_> = ["list_hosts".to_owned()].into();
        let policy = Policy { only: both.clone(), exclude: both, ..Policy::default() };
        assert!(policy.refusal("list_hosts", Effect::Read, Reach::Here).is_some());
    }

    #[test]
    fn without_a_token_no_host_is_reached() {
        let policy =
            Policy { without_token: true, only: ["host_status".to_owned()].into(), ..Policy::default() };
        assert!(policy.refusal("host_status", Effect::Read, Reach::Hosts).is_some());
        let policy = Policy { without_token: true, ..Policy::default() };
        assert!(policy.refusal("build_host", Effect::Store, Reach::Here).is_none());
    }
}
