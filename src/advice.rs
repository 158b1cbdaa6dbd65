//! Advice on errors: what to do with this program's tools, commands and settings.
//!
//! A domain module names the [`Remedy`]; this module has the text of the hint, for models and for people at a terminal.
//! The domain therefore does not depend on tool names, the command line or the settings file.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// The hint about a folder without a flake; a constant, because the table of Nix's messages needs one.
pub const NAME_FLAKE: &str = "Name the folder that has the flake.nix with `--flake`.";

/// An action with this program that an error suggests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Repeat the call.
    CallAgain,
    /// Make a new plan.
    PlanAnew,
    /// Make a new plan and have it approved, since the approval was used.
    PlanAndApproveAnew,
    /// List the hosts.
    ListHosts {
        /// Number of hosts.
        count: usize,
    },
    /// List the tags.
    ListTags,
    /// Show why a host does not evaluate.
    CheckHost,
    /// Evaluate fewer hosts at once.
    AskForOneHost,
    /// Show what a host runs.
    ShowStatus,
    /// Roll a host back to its previous system.
    RollBack,
    /// List a host's generations.
    ListGenerations,
    /// List the plans.
    ListPlans,
    /// Show a plan in full.
    ShowPlan {
        /// The plan.
        plan: String,
    },
    /// Have a person approve a plan with this command.
    Approve {
        /// The whole command.
        command: String,
    },
    /// Deploy again, so that a form asks the person again.
    AskPersonAgain,
    /// Call again, so that the question to the person is made with the current settings.
    AskUnderNewSettings,
    /// Use a client that shows forms, or allow another way of approving.
    AllowAnotherApproval,
    /// Plan again once the person asks for it: only a form counts, and it is not shown again for this plan.
    WaitForForm,
    /// Record a rejection in the audit log.
    RecordRejection {
        /// This program's command line with its options.
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
    /// Verify the audit log, and begin a new one.
    VerifyAudit,
    /// Name the flake's folder.
    NameFlake,
    /// Allow evaluations to build.
    AllowBuild,
    /// Raise one of these settings.
    Raise(&'static [&'static str]),
    /// Set this setting.
    Set(&'static str),
    /// Set the address of a host.
    SetTarget {
        /// The host.
        host: String,
    },
    /// Require the token from clients.
    SendToken,
    /// Use a newer version of this program.
    UseNewerProgram,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallAgain => f.write_str("call again"),
            Self::PlanAnew => f.write_str("make a new plan (plan_deploy, rollback_host)"),
            Self::PlanAndApproveAnew => f.write_str(
                "make a new plan (plan_deploy, rollback_host): an approval is valid for one deployment",
            ),
            Self::ListHosts { count } => write!(f, "list_hosts names all {count}"),
            Self::ListTags => f.write_str("list_hosts shows which host has which tags"),
            Self::CheckHost => f.write_str("flake_check with `host` shows one host's error"),
            Self::AskForOneHost => f.write_str("ask for a single host with `host`"),
            Self::ShowStatus => f.write_str("host_status shows what the host runs"),
            Self::RollBack => f.write_str("rollback_host returns a host to its previous system"),
            Self::ListGenerations => f.write_str("list_generations lists the host's generations"),
            Self::ListPlans => f.write_str(
                "`pantheros-mcp plans` lists the plans; plan_deploy makes a new one",
            ),
            Self::ShowPlan { plan } => write!(f, "`pantheros-mcp plans {plan}` shows the whole plan"),
            Self::Approve { command } => write!(
                f,
                "ask a person to run `{command}`, then deploy again; no tool argument can replace this"
            ),
            Self::AskPersonAgain => {
                f.write_str("deploy again without an answer, so that the person is asked")
            }
            Self::AskUnderNewSettings => {
                f.write_str("call again, so that the person is asked under the current settings")
            }
            Self::AllowAnotherApproval => f.write_str(
                "the settings accept only the answer to a form (`deploy.approve_by`), but this client shows no forms, \
                 or uses HTTP, where forms are not accepted (`deploy.approve_over_http`): use a client with \
                 elicitation over stdio, or add `terminal` or `signature` to `deploy.approve_by`",
            ),
            Self::WaitForForm => f.write_str(
                "the settings accept only the answer to a form (`deploy.approve_by`), so plan again when the person \
                 asks for it",
            ),
            Self::RecordRejection { command, plan } => write!(f, "`{command} reject {plan}` adds the entry"),
            Self::Trust { command } => write!(
                f,
                "ask a person to read the file and to run `{command}` in a terminal, then to start the server again; \
                 no tool argument can replace this"
            ),
            Self::Sign => f.write_str("sign this plan: `pantheros-mcp approve PLAN_ID --sign KEY`"),
            Self::NameSigningKey => f.write_str(
                "--sign takes the private key, or the public key if an agent has the private one",
            ),
            Self::NameApprovers => {
                f.write_str("`deploy.approvers` names a file in the format of ssh-keygen(1), ALLOWED SIGNERS")
            }
            Self::FindApproverInScope => {
                f.write_str("`deploy.scopes` limits what each approver may approve; another approver has to sign this \
                    plan")
            }
            Self::VerifyAudit => f.write_str(
                "`pantheros-mcp audit verify` shows the details; to start a new log, move the file to an archive",
            ),
            Self::NameFlake => f.write_str(
                "start the server in the flake's folder, or give the absolute path with --flake or PANTHEROS_FLAKE; \
                 `~` is not expanded there",
            ),
            Self::AllowBuild => {
                f.write_str("allow it with `build=true` of flake_check, or start the server without --read-only")
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
            Self::SendToken => f.write_str("start the server without --without-token, and send the token"),
            Self::UseNewerProgram => f.write_str("use the newer version of pantheros-mcp on every machine"),
        }
    }
}

impl Remedy {
    /// A hint of `before` and this remedy; `before` ends with the joining characters, such as `; ` or `, or `.
    #[must_use]
    pub fn after(self, before: impl Into<String>) -> Hint {
        Hint(Box::new(Parts { before: before.into(), remedy: Some(self), then: None }))
    }
}

/// What to do next: a text of the domain, a remedy, or the text followed by the remedy. In JSON it is a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Box<Parts>);

/// Boxed, since an error without a hint should stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    before: String,
    remedy: Option<Remedy>,
    /// The next step after `before` and `remedy`.
    then: Option<Remedy>,
}

impl Hint {
    /// The remedy that it names; `None` if it has only a text.
    #[must_use]
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }

    /// Adds a step after this one.
    #[must_use]
    pub fn then(mut self, next: Remedy) -> Self {
        self.0.then = Some(next);
        self
    }

    /// Its text, cut to at most this many characters, without the remedy.
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
            Remedy::Raise(&["limits.build_seconds", "limits.evaluation_seconds"]).after("fix it, or ");
        assert_eq!(
            either.to_string(),
            "fix it, or raise `limits.build_seconds` or `limits.evaluation_seconds` in your settings"
        );
        let first = Hint::from("Fix it.").then(Remedy::CallAgain);
        assert_eq!(first.to_string(), "Fix it; then call again");
    }

    #[test]
    fn in_json_it_is_a_string() {
        let hint = Remedy::PlanAnew.after("nothing was done; ");
        let json = serde_json::to_value(&hint).unwrap();
        assert_eq!(json, "nothing was done; make a new plan (plan_deploy, rollback_host)");
        assert_eq!(serde_json::from_value::<Hint>(json).unwrap().to_string(), hint.to_string());
    }
}
