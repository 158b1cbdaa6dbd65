//! Actions with this program that errors suggest, and their words.

use super::{Hint, Reader};

/// The hint about a folder without a flake; a constant, because the table of Nix's messages needs one.
pub const NAME_FLAKE: &str = "start in the flake's folder, or give its absolute path with --flake or PANTHEROS_FLAKE; `~` is \
                              not expanded there";

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

impl Remedy {
    /// The hint with nothing but this remedy, for one reader.
    #[must_use]
    pub fn text(&self, reader: Reader) -> String {
        let for_model = reader == Reader::Model;
        let either = |model: &str, person: &str| if for_model { model.to_owned() } else { person.to_owned() };
        match self {
            Self::CallAgain => either("call again", "run the command again"),
            Self::PlanAnew => either(
                "make a new plan (plan_deploy, rollback_host)",
                "make a new plan (`pantheros-mcp deploy`, `pantheros-mcp rollback`)",
            ),
            Self::PlanAndApproveAnew => {
                format!("{}: an approval is valid for one deployment", Self::PlanAnew.text(reader))
            }
            Self::ListHosts { count } => {
                format!("{} names all {count}", either("list_hosts", "`pantheros-mcp call list_hosts`"))
            }
            Self::ListTags => {
                format!("{} shows which host has which tags", either("list_hosts", "`pantheros-mcp call list_hosts`"))
            }
            Self::CheckHost => format!(
                "{} shows one host's error",
                either("flake_check with `host`", "`pantheros-mcp call flake_check host=NAME`")
            ),
            Self::AskForOneHost => either("ask for a single host with `host`", "name a single host with `host=NAME`"),
            Self::ShowStatus => format!(
                "{} shows what the host runs",
                either("host_status", "`pantheros-mcp call host_status host=NAME`")
            ),
            Self::RollBack => format!(
                "{} returns a host to its previous system",
                either("rollback_host", "`pantheros-mcp rollback NAME`")
            ),
            Self::ListGenerations => format!(
                "{} lists the host's generations",
                either("list_generations", "`pantheros-mcp call list_generations host=NAME`")
            ),
            Self::ListPlans => format!(
                "`pantheros-mcp plans` lists the plans; {} makes a new one",
                either("plan_deploy", "`pantheros-mcp deploy`")
            ),
            Self::ShowPlan { plan } => format!("`pantheros-mcp plans {plan}` shows the whole plan"),
            Self::Approve { command } => if for_model {
                format!("ask a person to run `{command}`, then deploy again; no tool argument can replace this")
            } else {
                format!("run `{command}` in a terminal, then deploy again")
            },
            Self::AskPersonAgain => either(
                "deploy again without an answer, so that the person is asked",
                "deploy again, so that you are asked",
            ),
            Self::AskUnderNewSettings => either(
                "call again, so that the person is asked under the current settings",
                "run the command again, so that you are asked under the current settings",
            ),
            Self::AllowAnotherApproval => either(
                "the settings accept only the answer to a form (`deploy.approve_by`), but this client shows no forms, \
                 or uses HTTP, where forms are not accepted (`deploy.approve_over_http`): use a client with \
                 elicitation over stdio, or add `terminal` or `signature` to `deploy.approve_by`",
                "the settings accept only the answer to a form in an assistant's client (`deploy.approve_by`): approve \
                 the plan there, or add `terminal` or `signature` to `deploy.approve_by`",
            ),
            Self::WaitForForm => either(
                "the settings accept only the answer to a form (`deploy.approve_by`), so plan again when the person \
                 asks for it",
                "the settings accept only the answer to a form in an assistant's client (`deploy.approve_by`), so plan \
                 again there",
            ),
            Self::RecordRejection { command, plan } => format!("`{command} reject {plan}` adds the entry"),
            Self::Trust { command } => if for_model {
                format!(
                    "ask a person to read the file and to run `{command}` in a terminal, then to call again; no tool \
                     argument can replace this"
                )
            } else {
                format!("read the file, and run `{command}` in a terminal")
            },
            Self::Sign => "sign this plan: `pantheros-mcp approve PLAN_ID --sign KEY`".to_owned(),
            Self::NameSigningKey => {
                "--sign takes the private key, or the public key if an agent has the private one".to_owned()
            }
            Self::NameApprovers => {
                "`deploy.approvers` names a file in the format of ssh-keygen(1), ALLOWED SIGNERS".to_owned()
            }
            Self::FindApproverInScope => {
                "`deploy.scopes` limits what each approver may approve; another approver has to sign this plan".to_owned()
            }
            Self::VerifyAudit => {
                "`pantheros-mcp audit verify` shows the details; to start a new log, move the file to an archive".to_owned()
            }
            Self::NameFlake => NAME_FLAKE.to_owned(),
            Self::AllowBuild => either(
                "allow it with `build=true` of flake_check, or start the server without --read-only",
                "allow it with `build=true` of flake_check, or run the command without --read-only",
            ),
            Self::Raise(settings) => {
                let names: Vec<String> = settings.iter().map(|name| format!("`{name}`")).collect();
                format!("raise {} in your settings", names.join(" or "))
            }
            Self::Set(setting) => format!("set `{setting}` in your settings"),
            Self::SetTarget { host } => format!(
                "set pantheros.deploy.targetHost in the host's configuration, or `target_host` under `[hosts.{host}]` \
                 in pantheros.toml"
            ),
            Self::SendToken => "start the server without --without-token, and send the token".to_owned(),
            Self::UseNewerProgram => "use the newer version of pantheros-mcp on every machine".to_owned(),
        }
    }

    /// A hint of `before` and this remedy; `before` ends with the joining characters, such as `; ` or `, or `.
    #[must_use]
    pub fn after(self, before: impl Into<String>) -> Hint {
        Hint::from(before.into()).and("", self)
    }
}
