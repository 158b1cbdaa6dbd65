//! Every setting: who may say it, and who wins where several do. The one table of it; `docs/settings.md` is
//! generated from it, and a test fails for a setting that has no row.

/// Who says something. Those before others win, where only one can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// A file of the machine's, which only root can write. Nobody overrules it.
    Machine,
    /// A switch of the command line, or a variable of the environment.
    Switch,
    /// The user's own file.
    User,
    /// The file beside the flake, which a person trusted as it is.
    Trusted,
    /// The file beside the flake, which whoever edits the flake can write.
    Beside,
}

/// What counts of the file beside a flake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromFlake {
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
pub enum Zero {
    /// Zero.
    Itself,
    /// No limit at all.
    Unlimited,
    /// As many as this machine has room for.
    Automatic,
}

/// How values of several homes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The highest home's.
    Highest,
    /// The smallest number.
    Least(Zero),
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
pub enum Guard {
    /// Never.
    No,
    /// Where it says anything.
    Said,
    /// Where what it says leaves nothing.
    Emptied,
}

/// What a text is, where it is a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None, or a number, or a list.
    Plain,
    /// A path; a relative one begins in the file's folder.
    Path,
    /// A program by its name, looked for on `PATH`, or by its path.
    Program,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Section and key, as `section.key`.
    pub path: &'static str,
    /// What counts of the file beside the flake.
    pub from_flake: FromFlake,
    /// How values become one.
    pub rule: Rule,
    /// Whether it is a path.
    pub kind: Kind,
    /// Whether it is about guarding deployments.
    pub guard: Guard,
    /// The key that, where a home has it and not this one, means this value.
    pub implied: Option<(&'static str, &'static [&'static str])>,
    /// The switch, or the variable, that says the same.
    pub switch: Option<&'static str>,
}

impl Key {
    const fn new(path: &'static str, from_flake: FromFlake, rule: Rule) -> Self {
        let (kind, guard) = (Kind::Plain, Guard::No);
        Self { path, from_flake, rule, kind, guard, implied: None, switch: None }
    }

    /// Never to be taken from a file that nobody trusted; of several the highest home's.
    const fn trusted(path: &'static str) -> Self {
        Self::new(path, FromFlake::Trusted, Rule::Highest)
    }

    /// A bound that every home can lower.
    const fn limit(path: &'static str, zero: Zero) -> Self {
        Self::new(path, FromFlake::Narrows, Rule::Least(zero))
    }

    const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn guard(self, guard: Guard) -> Self {
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
pub const KEYS: &[Key] = &[
    Key::trusted("nix.program").kind(Kind::Program),
    Key::trusted("ssh.program").kind(Kind::Program),
    Key::trusted("ssh.config").kind(Kind::Path),
    Key::trusted("ssh.identity").kind(Kind::Path).switch("--identity"),
    Key::trusted("ssh.known_hosts").kind(Kind::Path).switch("--known-hosts"),
    Key::trusted("ssh.connect_seconds"),
    Key::limit("limits.evaluation_seconds", Zero::Itself),
    Key::limit("limits.build_seconds", Zero::Itself),
    Key::limit("limits.evaluation_workers", Zero::Automatic),
    Key::limit("limits.evaluation_memory_mib", Zero::Itself),
    Key::limit("limits.concurrent_calls", Zero::Itself),
    Key::limit("limits.waiting_calls", Zero::Itself),
    Key::limit("limits.message_kib", Zero::Itself),
    Key::new("tools.read_only", FromFlake::Narrows, Rule::Any).switch("--read-only"),
    Key::new("tools.only", FromFlake::Narrows, Rule::Intersection(&[])).switch("--tools"),
    Key::new("tools.exclude", FromFlake::Narrows, Rule::Union).switch("--exclude-tools"),
    Key::trusted("http.token_file").kind(Kind::Path).switch("PANTHEROS_HTTP_TOKEN"),
    Key::trusted("http.allowed_hosts"),
    Key::trusted("http.allowed_origins"),
    Key::new("http.requests_per_minute", FromFlake::Trusted, Rule::Least(Zero::Unlimited)),
    Key::new("http.concurrent_requests", FromFlake::Trusted, Rule::Least(Zero::Itself)),
    Key::new("http.legacy_sessions", FromFlake::Trusted, Rule::Least(Zero::Itself)),
    Key::trusted("cache.enabled"),
    Key::trusted("cache.folder").kind(Kind::Path),
    Key::trusted("cache.size_mib"),
    Key::trusted("deploy.state_folder").kind(Kind::Path),
    Key::limit("deploy.plan_minutes", Zero::Itself),
    Key::new("deploy.clean", FromFlake::Narrows, Rule::Any),
    Key {
        implied: Some(("deploy.approvers", &["signature"])),
        ..Key::new("deploy.approve_by", FromFlake::Narrows, Rule::Intersection(&["elicitation", "terminal"]))
            .guard(Guard::Emptied)
    },
    Key::new("deploy.approve_over_http", FromFlake::Never, Rule::All),
    Key::trusted("deploy.approvers").kind(Kind::Path).guard(Guard::Said),
    Key::trusted("deploy.command"),
    Key::trusted("deploy.scopes").guard(Guard::Said),
    Key::new("hosts", FromFlake::Counts, Rule::EachName),
];
