//! Which tools there are: what `--read-only`, `--tools` and `--exclude-tools` leave.

use std::collections::BTreeSet;

/// What a call of a tool changes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing anyone would notice: it evaluates.
    Read,
    /// It adds to the Nix store of this machine.
    Store,
    /// It changes a host, after a person approved it.
    Host,
}

/// Where a tool gets to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine, and what Nix fetches for it.
    Here,
    /// The hosts of the fleet, with the key of whoever started the server.
    Hosts,
}

/// What removes tools from the list and refuses their calls.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Only tools that change neither a host nor the store. Beats everything else.
    pub read_only: bool,
    /// Only these; empty means all.
    pub only: BTreeSet<String>,
    /// Without these.
    pub exclude: BTreeSet<String>,
    /// Whether everybody on this machine may call, over HTTP on loopback: then no tool that reaches hosts is there.
    pub without_token: bool,
}

impl Policy {
    /// Why no call may have this effect, or `None` where one may.
    #[must_use]
    pub fn forbids(&self, effect: Effect) -> Option<&'static str> {
        (self.read_only && effect != Effect::Read).then_some("--read-only leaves only what changes nothing")
    }

    /// Why a tool is not there, or `None` where it is. `least` is the effect of its calls that change least: what each
    /// call changes is said by its arguments too, and [`Policy::forbids`] is asked about that.
    #[must_use]
    pub fn refusal(&self, name: &str, least: Effect, reach: Reach) -> Option<&'static str> {
        if let Some(reason) = self.forbids(least) {
            Some(reason)
        } else if self.without_token && reach == Reach::Hosts {
            Some(
                "it reaches hosts, and anybody on this machine may call a server started with --without-token; \
                 start it without that switch and give the client the token that `pantheros-mcp token` names",
            )
        } else if self.exclude.contains(name) {
            Some("it is excluded by --exclude-tools or `tools.exclude`")
        } else if !self.only.is_empty() && !self.only.contains(name) {
            Some("it is not among --tools or `tools.only`")
        } else {
            None
        }
    }

    /// The first tool named that does not exist: a mistyped name must not leave a tool switched on.
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
