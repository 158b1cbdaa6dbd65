//! Every setting: who may say it, and who wins where several do. The one table of it; `docs/settings.md` is
//! generated from it, and a test fails for a setting that has no row.

/// Who says something. Those before others win, where only one can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingsLayer {
    /// A file of the machine's, which only root can write. Nobody overrules it.
    Machine,
    /// A switch of the command line, or a variable of the environment.
    Switch,
    /// The user's own file.
    User,
    /// The file beside the flake, which a person trusted as it is.
    Trusted,
    /// The file beside the flake, which whoever edits the flake can write.
    Untrusted,
}

/// What counts of the file beside a flake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlakeInfluence {
    /// All of it: the flake itself can say the same.
    Counts,
    /// What narrows; the rest once the file is trusted.
    Narrows,
    /// Nothing, until the file is trusted.
    Trusted,
    /// Nothing, ever.
    Never,
}

/// What the number 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroMeaning {
    /// Zero.
    Itself,
    /// No limit at all.
    Unlimited,
    /// As many as this machine has room for.
    Automatic,
}

/// How values of several homes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRule {
    /// The highest home's.
    Highest,
    /// The smallest number.
    Least(ZeroMeaning),
    /// `true`, where any says so.
    Any,
    /// `true`, where all that say anything say so.
    All,
    /// Everything that any of them names.
    Union,
    /// What all of them name; an empty list names all. Where nobody says anything it is this.
    Intersection(&'static [&'static str]),
    /// Each name by the highest home that has it.
    EachName,
}

/// When what an untrusted file beside the flake says leaves nothing deployed until it is trusted: it wants
/// deploying to be guarded in a way that cannot be taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardCondition {
    /// Never.
    Never,
    /// Where it says anything.
    IfSet,
    /// Where what it says leaves nothing.
    IfEmptied,
}

/// What a text is, where it is a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// None, or a number, or a list.
    Plain,
    /// A path; a relative one begins in the file's folder.
    Path,
    /// A program by its name, looked for on `PATH`, or by its path.
    Program,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettingKey {
    /// Section and key, as `section.key`.
    pub path: &'static str,
    /// What counts of the file beside the flake.
    pub flake_influence: FlakeInfluence,
    /// How values become one.
    pub rule: MergeRule,
    /// Whether it is a path.
    pub kind: ValueKind,
    /// Whether it is about guarding deployments.
    pub guard: GuardCondition,
    /// The key that, where a home has it and not this one, means this value.
    pub implied: Option<(&'static str, &'static [&'static str])>,
    /// The switch, or the variable, that says the same.
    pub switch: Option<&'static str>,
}

impl SettingKey {
    const fn new(path: &'static str, flake_influence: FlakeInfluence, rule: MergeRule) -> Self {
        let (kind, guard) = (ValueKind::Plain, GuardCondition::Never);
        Self { path, flake_influence, rule, kind, guard, implied: None, switch: None }
    }

    /// Never to be taken from a file that nobody trusted; of several the highest home's.
    const fn trusted(path: &'static str) -> Self {
        Self::new(path, FlakeInfluence::Trusted, MergeRule::Highest)
    }

    /// A bound that every home can lower.
    const fn limit(path: &'static str, zero: ZeroMeaning) -> Self {
        Self::new(path, FlakeInfluence::Narrows, MergeRule::Least(zero))
    }

    const fn kind(self, kind: ValueKind) -> Self {
        Self { kind, ..self }
    }

    const fn guard(self, guard: GuardCondition) -> Self {
        Self { guard, ..self }
    }

    const fn switch(self, switch: &'static str) -> Self {
        Self { switch: Some(switch), ..self }
    }

    /// Its place in a JSON object.
    #[must_use]
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.replace('.', "/"))
    }
}

/// Every setting.
pub const KEYS: &[SettingKey] = &[
    SettingKey::trusted("nix.program").kind(ValueKind::Program),
    SettingKey::trusted("ssh.program").kind(ValueKind::Program),
    SettingKey::trusted("ssh.config").kind(ValueKind::Path),
    SettingKey::trusted("ssh.identity").kind(ValueKind::Path).switch("--identity"),
    SettingKey::trusted("ssh.known_hosts").kind(ValueKind::Path).switch("--known-hosts"),
    SettingKey::trusted("ssh.connect_seconds"),
    SettingKey::limit("limits.evaluation_seconds", ZeroMeaning::Itself),
    SettingKey::limit("limits.build_seconds", ZeroMeaning::Itself),
    SettingKey::limit("limits.evaluation_workers", ZeroMeaning::Automatic),
    SettingKey::limit("limits.evaluation_memory_mib", ZeroMeaning::Itself),
    SettingKey::limit("limits.concurrent_calls", ZeroMeaning::Itself),
    SettingKey::limit("limits.waiting_calls", ZeroMeaning::Itself),
    SettingKey::limit("limits.message_kib", ZeroMeaning::Itself),
    SettingKey::new("tools.read_only", FlakeInfluence::Narrows, MergeRule::Any).switch("--read-only"),
    SettingKey::new("tools.only", FlakeInfluence::Narrows, MergeRule::Intersection(&[])).switch("--tools"),
    SettingKey::new("tools.exclude", FlakeInfluence::Narrows, MergeRule::Union).switch("--exclude-tools"),
    SettingKey::trusted("http.token_file").kind(ValueKind::Path).switch("PANTHEROS_HTTP_TOKEN"),
    SettingKey::trusted("http.allowed_hosts"),
    SettingKey::trusted("http.allowed_origins"),
    SettingKey::new(
        "http.requests_per_minute",
        FlakeInfluence::Trusted,
        MergeRule::Least(ZeroMeaning::Unlimited),
    ),
    SettingKey::new(
        "http.concurrent_requests",
        FlakeInfluence::Trusted,
        MergeRule::Least(ZeroMeaning::Itself),
    ),
    SettingKey::new("http.legacy_sessions", FlakeInfluence::Trusted, MergeRule::Least(ZeroMeaning::Itself)),
    SettingKey::trusted("cache.enabled"),
    SettingKey::trusted("cache.folder").kind(ValueKind::Path),
    SettingKey::trusted("cache.size_mib"),
    SettingKey::trusted("deploy.state_folder").kind(ValueKind::Path),
    SettingKey::limit("deploy.plan_minutes", ZeroMeaning::Itself),
    SettingKey::new("deploy.clean", FlakeInfluence::Narrows, MergeRule::Any),
    SettingKey {
        implied: Some(("deploy.approvers", &["signature"])),
        ..SettingKey::new(
            "deploy.approve_by",
            FlakeInfluence::Narrows,
            MergeRule::Intersection(&["elicitation", "terminal"]),
        )
        .guard(GuardCondition::IfEmptied)
    },
    SettingKey::new("deploy.approve_over_http", FlakeInfluence::Never, MergeRule::All),
    SettingKey::trusted("deploy.approvers").kind(ValueKind::Path).guard(GuardCondition::IfSet),
    SettingKey::trusted("deploy.command"),
    SettingKey::trusted("deploy.scopes").guard(GuardCondition::IfSet),
    SettingKey::new("hosts", FlakeInfluence::Counts, MergeRule::EachName),
];
