//! The table of all settings: which sources may set each, and which value is used. `docs/settings.md` is generated from
//! it, and a test fails for a setting without a row.

/// The authority of a source of settings, from the highest to the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingsLayer {
    /// A file in /etc/pantheros, which only root can write.
    Machine,
    /// A command-line switch or an environment variable.
    Switch,
    /// The user's own file.
    User,
    /// The file beside the flake, if a person trusted its current content.
    Trusted,
    /// The file beside the flake, if it is not trusted: anyone who edits the flake can write it.
    Untrusted,
}

/// The effect that the file beside a flake has on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlakeInfluence {
    /// It sets the value, because the flake itself could do the same.
    Counts,
    /// It can narrow the value. Once it is trusted, it can also set it.
    Narrows,
    /// None until it is trusted.
    Trusted,
    /// None, even if it is trusted.
    Never,
}

/// The meaning of the number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroMeaning {
    /// The number itself.
    Itself,
    /// No limit.
    Unlimited,
    /// As many as the machine has cores and memory for.
    Automatic,
}

/// How the values of several sources become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRule {
    /// The value of the highest source.
    Highest,
    /// The smallest number.
    Least(ZeroMeaning),
    /// `true` if any source has `true`.
    Any,
    /// `true` if all sources that set it have `true`.
    All,
    /// All names of all sources.
    Union,
    /// The names that all sources have in common. An empty list stands for all names; the default is the list here.
    Intersection(&'static [&'static str]),
    /// Each name has the value of the highest source that has the name.
    EachName,
}

/// When a setting of an untrusted file beside the flake blocks deployments until the file is trusted. Such a setting
/// asks for a restriction that cannot be applied while the file is untrusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardCondition {
    /// Never.
    Never,
    /// If the file sets it.
    IfSet,
    /// If it has no name in common with the value in force.
    IfEmptied,
}

/// Whether the value is a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// It is no path.
    Plain,
    /// A path, relative to the file's folder.
    Path,
    /// A program: a name on `PATH`, or a path.
    Program,
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettingKey {
    /// Section and key, as `section.key`.
    pub path: &'static str,
    /// The effect of the file beside the flake.
    pub flake_influence: FlakeInfluence,
    /// How the values of several sources become one.
    pub rule: MergeRule,
    /// Whether it is a path.
    pub kind: ValueKind,
    /// When it blocks deployments in an untrusted file.
    pub guard: GuardCondition,
    /// Another setting, and the value of this one that it implies in a source that has the other setting and not this
    /// one.
    pub implied: Option<(&'static str, &'static [&'static str])>,
    /// The command-line switch or environment variable for it.
    pub switch: Option<&'static str>,
}

impl SettingKey {
    const fn new(path: &'static str, flake_influence: FlakeInfluence, rule: MergeRule) -> Self {
        let (kind, guard) = (ValueKind::Plain, GuardCondition::Never);
        Self { path, flake_influence, rule, kind, guard, implied: None, switch: None }
    }

    /// A setting that an untrusted file cannot change; the highest source wins.
    const fn trusted(path: &'static str) -> Self {
        Self::new(path, FlakeInfluence::Trusted, MergeRule::Highest)
    }

    /// A limit that every source can lower.
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

    /// The JSON pointer of the setting (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.replace('.', "/"))
    }
}

/// All settings.
pub const KEYS: &[SettingKey] = &[
    SettingKey::trusted("nix.program").kind(ValueKind::Program),
    SettingKey::trusted("nix.override_inputs").switch("--override-input"),
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
    SettingKey::new("tools.offline", FlakeInfluence::Narrows, MergeRule::Any).switch("--offline"),
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
