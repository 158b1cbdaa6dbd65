//! What to do about an error with this program's tools, commands and settings.
//!
//! A domain module names the [`Remedy`]; its words are here alone, for a model and for a person at a terminal. So the domain
//! knows no tool, no command line and no settings file, and whoever renames one of them finds every sentence about it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// The hint of a phrase of Nix's about a folder without a flake: phrases are constants.
pub const NAME_FLAKE: &str = "Name the folder that holds the flake.nix, with `--flake`.";

/// Something to do with this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Make the same call once more.
    CallAgain,
    /// Make the plan once more, since nothing was approved yet.
    PlanAnew,
    /// Make the plan once more, since its approval was used.
    PlanAndApproveAnew,
    /// See which hosts there are.
    ListHosts {
        /// How many there are.
        count: usize,
    },
    /// See which tags there are.
    ListTags,
    /// See why a host does not evaluate.
    CheckHost,
    /// Evaluate fewer hosts at once.
    AskForOneHost,
    /// See what a host runs.
    ShowStatus,
    /// Go back to the system before.
    RollBack,
    /// See which generations a host has.
    ListGenerations,
    /// See which plans there are.
    ListPlans,
    /// Read a whole plan.
    ShowPlan {
        /// The plan.
        plan: String,
    },
    /// Have a person approve a plan with this command.
    Approve {
        /// The whole command.
        command: String,
    },
    /// Have the person asked in a form again.
    AskPersonAgain,
    /// Have the person asked under the settings as they are now.
    AskUnderNewSettings,
    /// Use a client that shows forms, or allow another way of approving.
    AllowAnotherApproval,
    /// Wait until the person asks for the form again: nothing else counts.
    WaitForForm,
    /// Record a rejection in the audit log.
    RecordRejection {
        /// This program with its switches.
        command: String,
        /// The plan.
        plan: String,
    },
    /// Have a person trust the settings beside the flake with this command.
    Trust {
        /// The whole command.
        command: String,
    },
    /// Sign this plan.
    Sign,
    /// Name a key that can sign.
    NameSigningKey,
    /// Name the file of signers.
    NameApprovers,
    /// Have an approver sign whose scope covers the plan.
    FindApproverInScope,
    /// Have the audit log checked, and begin a new one.
    VerifyAudit,
    /// Name the flake's folder.
    NameFlake,
    /// Allow evaluations to build.
    AllowBuild,
    /// Raise one of these settings.
    Raise(&'static [&'static str]),
    /// Set this.
    Set(&'static str),
    /// Set where a host is reached.
    SetTarget {
        /// The host.
        host: String,
    },
    /// Serve hosts to clients with the token alone.
    SendToken,
    /// Use the program that made it, or a newer one.
    UseNewerProgram,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallAgain => f.write_str("call again"),
            Self::PlanAnew => f.write_str("make a new plan with plan_deploy"),
            Self::PlanAndApproveAnew => f.write_str(
                "ask for it anew (plan_deploy, rollback_host): an approval is good for one deployment",
            ),
            Self::ListHosts { count } => write!(f, "list_hosts names the {count} there are"),
            Self::ListTags => f.write_str("list_hosts shows which host has which tags"),
            Self::CheckHost => f.write_str("flake_check with `host` shows the error of one"),
            Self::AskForOneHost => f.write_str("ask for a single host with `host`"),
            Self::ShowStatus => f.write_str("host_status shows what the host runs"),
            Self::RollBack => f.write_str("rollback_host brings a host back"),
            Self::ListGenerations => f.write_str("list_generations shows those there are"),
            Self::ListPlans => f.write_str(
                "`pantheros-mcp plans` lists those there are; plan_deploy makes a new one",
            ),
            Self::ShowPlan { plan } => write!(f, "`pantheros-mcp plans {plan}` shows all of it"),
            Self::Approve { command } => write!(
                f,
                "ask a person to run `{command}`, then deploy again; no argument of any tool stands in for it"
            ),
            Self::AskPersonAgain => {
                f.write_str("deploy again without any answer, so that the person is asked")
            }
            Self::AskUnderNewSettings => {
                f.write_str("call again, so that the person is asked under the settings as they are now")
            }
            Self::AllowAnotherApproval => f.write_str(
                "only a form counts here (`deploy.approve_by`), and this client shows none, or is one over HTTP, where \
                 forms do not count (`deploy.approve_over_http`): use one that has elicitation over stdio, or allow \
                 `terminal` or `signature` there",
            ),
            Self::WaitForForm => f.write_str(
                "only a form counts here (`deploy.approve_by`), so plan again once the person asks for it",
            ),
            Self::RecordRejection { command, plan } => write!(f, "`{command} reject {plan}` records it there"),
            Self::Trust { command } => write!(
                f,
                "ask a person to read it and to run `{command}` in a terminal, then to start the server again; no \
                 argument of any tool stands in for it"
            ),
            Self::Sign => f.write_str("sign this plan: `pantheros-mcp approve PLAN_ID --sign KEY`"),
            Self::NameSigningKey => f.write_str(
                "--sign takes the private key, or the public one if an agent holds the private one",
            ),
            Self::NameApprovers => {
                f.write_str("`deploy.approvers` names a file of allowed signers, as ssh-keygen(1) has it")
            }
            Self::FindApproverInScope => {
                f.write_str("`deploy.scopes` says who may approve what; somebody else has to approve this")
            }
            Self::VerifyAudit => f.write_str(
                "`pantheros-mcp audit verify` says more; to begin a new log, move this one to where it is kept",
            ),
            Self::NameFlake => f.write_str(
                "start in the flake's folder, or name it with --flake or PANTHEROS_FLAKE, as a whole path: `~` is not \
                 expanded there",
            ),
            Self::AllowBuild => {
                f.write_str("allow it: `build=true` of flake_check does, and a server without --read-only")
            }
            Self::Raise(settings) => {
                let names: Vec<String> = settings.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "raise {} in your settings", names.join(" or "))
            }
            Self::Set(setting) => write!(f, "set `{setting}` in your settings"),
            Self::SetTarget { host } => write!(
                f,
                "set pantheros.deploy.targetHost in the host's configuration, or `target_host` under `[hosts.{host}]` \
                 in pantheros.toml"
            ),
            Self::SendToken => f.write_str("serve without --without-token, and send the token"),
            Self::UseNewerProgram => f.write_str("use the newer pantheros-mcp everywhere"),
        }
    }
}

impl Remedy {
    /// The hint that ends with this; `before` ends with what joins the two, such as `; ` or `, or `.
    #[must_use]
    pub fn after(self, before: impl Into<String>) -> Hint {
        Hint(Box::new(Parts { before: before.into(), remedy: Some(self), then: None }))
    }
}

/// What to do next: in the domain's own words, with this program, or first the one and then the other. In JSON it is a
/// string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Box<Parts>);

/// Boxed, since an error without a hint should stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    before: String,
    remedy: Option<Remedy>,
    /// What to do once that is done.
    then: Option<Remedy>,
}

impl Hint {
    /// What to do with this program.
    #[must_use]
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }

    /// The same, and this after it.
    #[must_use]
    pub fn then(mut self, next: Remedy) -> Self {
        self.0.then = Some(next);
        self
    }

    /// Its words alone, at most this many characters of them.
    #[must_use]
    pub fn shortened(&self, characters: usize) -> Self {
        text::bounded(&self.to_string(), characters).into()
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { before, remedy, then } = &*self.0;
        let mut first = before.clone();
        if let Some(remedy) = remedy {
            first.push_str(&remedy.to_string());
        }
        match then {
            Some(next) => write!(f, "{}; then {next}", first.trim_end_matches('.')),
            None => f.write_str(&first),
        }
    }
}

impl From<String> for Hint {
    fn from(before: String) -> Self {
        Self(Box::new(Parts { before, remedy: None, then: None }))
    }
}

impl From<&str> for Hint {
    fn from(before: &str) -> Self {
        before.to_owned().into()
    }
}

impl From<Remedy> for Hint {
    fn from(remedy: Remedy) -> Self {
        remedy.after("")
    }
}

impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_one_sentence_whatever_it_is_made_of() {
        let alone: Hint = Remedy::ListTags.into();
        assert_eq!(alone.to_string(), "list_hosts shows which host has which tags");
        let either =
            Remedy::Raise(&["limits.build_seconds", "limits.evaluation_seconds"]).after("mend it, or ");
        assert_eq!(
            either.to_string(),
            "mend it, or raise `limits.build_seconds` or `limits.evaluation_seconds` in your settings"
        );
        let first = Hint::from("Mend it.").then(Remedy::CallAgain);
        assert_eq!(first.to_string(), "Mend it; then call again");
    }

    #[test]
    fn in_json_it_is_a_string() {
        let hint = Remedy::PlanAnew.after("nothing was done; ");
        let json = serde_json::to_value(&hint).unwrap();
        assert_eq!(json, "nothing was done; make a new plan with plan_deploy");
        assert_eq!(serde_json::from_value::<Hint>(json).unwrap().to_string(), hint.to_string());
    }
}
