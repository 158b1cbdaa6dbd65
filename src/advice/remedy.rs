//! Actions with this program that errors suggest, and their words.

use super::{Hint, Reader};

/// The hint about a folder without a flake; a constant, because the table of Nix's messages needs one.
pub const NAME_FLAKE: &str = "start in the flake's folder, or give its absolute path with --flake or PANTHEROS_FLAKE; `~` is \
                              not expanded there";

/// An action with this program that an error suggests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same call can succeed later.
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
    ShowPlan { plan: String },
    /// A plan waits for its approval: a person approves it with this command.
    Approve {
        /// The whole command.
        command: String,
        plan: String,
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
    /// Allow connections.
    GoOnline,
    /// Raise one of these settings.
    Raise(&'static [&'static str]),
    /// Set this setting.
    Set(&'static str),
    /// Set the address of a host.
    SetTarget { host: String },
    /// Require the token from clients.
    SendToken,
    /// No host was named.
    NameHostsOrTag,
    /// Both hosts and a tag were named.
    NameHostsOrTagAlone,
    /// Some hosts do not evaluate, so it is not known whether they have the tag.
    LeaveOutUnreadHosts,
    /// Every selected host was left out by name.
    LeaveOutFewerHosts,
    /// A commit was named, and there is none, or its settings may not be used.
    OmitRev,
    /// Only committed files may be deployed.
    NameRev,
    /// A person rejected the plan.
    ChangeBeforePlanning,
    /// The words that a person typed are not the requested ones.
    TypeExactly,
    /// The approval does not count for this plan.
    ApproveAgain,
    /// Use a newer version of this program.
    UseNewerProgram,
}

impl Remedy {
    /// The hint with nothing but this remedy, for one reader.
    #[must_use]
    pub fn text(&self, reader: Reader) -> String {
        let for_model = reader == Reader::Model;
        let for_reader =
            |model: &str, person: &str| if for_model { model.to_owned() } else { person.to_owned() };
        match self {
            Self::CallAgain => for_reader("call again", "run the command again"),
            Self::PlanAnew => for_reader(
                "make a new plan (plan_deploy, rollback_host)",
                "make a new plan: `pantheros-mcp deploy` and `pantheros-mcp rollback` plan, ask and deploy, and with \
                 --dry-run only plan",
            ),
            Self::PlanAndApproveAnew => for_reader(
                "make a new plan (plan_deploy, rollback_host): an approval is valid for one deployment",
                "make a new plan with `pantheros-mcp deploy` or `pantheros-mcp rollback`, because an approval is valid \
                 for one deployment",
            ),
            Self::ListHosts { count } => {
                let tool = for_reader("list_hosts", "`pantheros-mcp call list_hosts`");
                if *count == 1 { format!("{tool} names the only one") } else { format!("{tool} names all {count}") }
            }
            Self::ListTags => {
                format!("{} shows which host has which tags", for_reader("list_hosts", "`pantheros-mcp call list_hosts`"))
            }
            Self::CheckHost => format!(
                "{} shows one host's error",
                for_reader("flake_check with `host`", "`pantheros-mcp call flake_check host=NAME`")
            ),
            Self::AskForOneHost => for_reader("ask for a single host with `host`", "name a single host"),
            Self::ShowStatus => format!(
                "{} shows what the host runs",
                for_reader("host_status", "`pantheros-mcp call host_status host=NAME`")
            ),
            Self::RollBack => format!(
                "{} returns a host to its previous system",
                for_reader("rollback_host", "`pantheros-mcp rollback NAME`")
            ),
            Self::ListGenerations => format!(
                "{} lists the host's generations",
                for_reader("list_generations", "`pantheros-mcp call list_generations host=NAME`")
            ),
            Self::ListPlans => format!(
                "`pantheros-mcp plans` lists the plans; {} makes a new one",
                for_reader("plan_deploy", "`pantheros-mcp deploy --dry-run`")
            ),
            Self::ShowPlan { plan } => format!("`pantheros-mcp plans {plan}` shows the whole plan"),
            Self::Approve { command, plan } => {
                if for_model {
                    format!("ask a person to run `{command}`, then deploy again; no tool argument can replace this")
                } else {
                    format!("run `{command}` in a terminal, then `pantheros-mcp call deploy plan_id={plan}`")
                }
            }
            Self::AskPersonAgain => for_reader(
                "deploy again without an answer, so that the person is asked",
                "deploy again, so that you are asked",
            ),
            Self::AskUnderNewSettings => for_reader(
                "call again, so that the person is asked under the current settings",
                "run the command again, so that you are asked under the current settings",
            ),
            Self::AllowAnotherApproval => for_reader(
                "the settings accept only the answer to a form (`deploy.approve_by`), but this client shows no forms, \
                 or uses HTTP, where forms are not accepted (`deploy.approve_over_http`): use a client with \
                 elicitation over stdio, or add `terminal` or `signature` to `deploy.approve_by`",
                "the settings accept only the answer to a form in an assistant's client (`deploy.approve_by`): approve \
                 the plan there, or add `terminal` or `signature` to `deploy.approve_by`",
            ),
            Self::WaitForForm => for_reader(
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
            Self::AllowBuild => for_reader(
                "allow it with `build=true` of flake_check, or start the server without --read-only",
                "allow it with `pantheros-mcp call flake_check build=true`, or run the command without --read-only",
            ),
            Self::GoOnline => for_reader(
                "ask a person to start the server without --offline and `tools.offline`",
                "run the command without --offline and `tools.offline`",
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
            Self::NameHostsOrTag => for_reader(
                "name at least one host in `hosts`, or a `tag`; an empty selection never means all hosts",
                "name at least one host, or a tag with --tag; an empty selection never means all hosts",
            ),
            Self::NameHostsOrTagAlone => {
                for_reader("leave `hosts` or `tag` out", "name hosts or a tag (--tag), not both")
            }
            Self::LeaveOutUnreadHosts => for_reader(
                "correct them (`unread` has the errors), leave them out by name in `except`, or name the hosts in \
                 `hosts`",
                "correct them, leave them out with --except, or name the hosts",
            ),
            Self::LeaveOutFewerHosts => {
                for_reader("remove at least one of them from `except`", "leave out fewer hosts with --except")
            }
            Self::OmitRev => for_reader("leave `rev` out", "leave --rev out"),
            Self::NameRev => for_reader(
                "plan committed files only with `rev` (`HEAD`, a branch, a tag or a commit)",
                "plan committed files only with --rev (HEAD, a branch, a tag or a commit)",
            ),
            Self::ChangeBeforePlanning => for_reader(
                "before you plan again, ask the person what to change",
                "make a new plan when the configuration is as it should be",
            ),
            Self::TypeExactly => {
                for_reader("the person has to type exactly the requested text", "type exactly the requested text")
            }
            Self::ApproveAgain => for_reader(
                "a person has to read the plan and approve it again",
                "read the plan, and approve it again",
            ),
            Self::UseNewerProgram => "use the newer version of pantheros-mcp on every machine".to_owned(),
        }
    }

    /// A hint of `before` and this remedy; `before` ends with the joining characters, such as `; ` or `, or `.
    #[must_use]
    pub fn after(self, before: impl Into<String>) -> Hint {
        Hint::from(before.into()).and("", self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every remedy whose words depend on the reader.
    fn all() -> Vec<Remedy> {
        use Remedy::*;
        let (command, plan) = (|| "pantheros-mcp x".to_owned(), || "plan-x".to_owned());
        vec![
            CallAgain,
            PlanAnew,
            PlanAndApproveAnew,
            ListHosts { count: 3 },
            ListTags,
            CheckHost,
            AskForOneHost,
            ShowStatus,
            RollBack,
            ListGenerations,
            ListPlans,
            ShowPlan { plan: plan() },
            Approve { command: command(), plan: plan() },
            AskPersonAgain,
            AskUnderNewSettings,
            AllowAnotherApproval,
            WaitForForm,
            RecordRejection { command: command(), plan: plan() },
            Trust { command: command() },
            AllowBuild,
            GoOnline,
            NameHostsOrTag,
            NameHostsOrTagAlone,
            LeaveOutUnreadHosts,
            LeaveOutFewerHosts,
            OmitRev,
            NameRev,
            ChangeBeforePlanning,
            TypeExactly,
            ApproveAgain,
        ]
    }

    #[test]
    fn a_person_is_told_to_call_no_tool_and_to_ask_no_person() {
        for remedy in all() {
            let text = remedy.text(Reader::Person);
            // Commands are in backticks, and may name a tool after `call`.
            let prose: String = text.split('`').step_by(2).collect();
            for word in prose.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                assert!(!crate::tools::names().contains(&word) || word == "deploy", "{text}");
            }
            for word in ["the person", "a person", "`rev`", "`hosts`", "`except`", "`host`"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }
}
