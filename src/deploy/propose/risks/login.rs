//! Risks of losing access to the host: SSH, the firewall, keys, and becoming root.

use super::super::facts::{Facts, Firewall, Ssh, User};
use super::{Evidence, risk};
use crate::deploy::plan::{Risk, Severity};

/// Adds the risks that the deploying user, or every user, can no longer log in.
pub(super) fn assess(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    if let Some(ssh) = &evidence.facts.ssh {
        if !ssh.enable {
            risks.push(risk(
                "ssh_disabled",
                Severity::Blocking,
                "services.openssh.enable is false: nobody could log in",
                "enable services.openssh",
            ));
            return;
        }
        push_port_risks(ssh, evidence, risks);
        push_method_risks(ssh, risks);
        if ssh.unread {
            risks.push(risk(
                "ssh_settings_unread",
                Severity::Warning,
                "services.openssh.extraConfig restricts logins in a way that is not assessed here",
                "set it in services.openssh.settings, which is assessed",
            ));
        }
    }
    let ways = LoginRules { facts: evidence.facts, evidence };
    if evidence.user == "root" && !ways.root_logs_in() {
        let said = ways.ssh().and_then(|ssh| ssh.root_login.as_deref()).unwrap_or_default();
        risks.push(risk(
            "root_login_refused",
            Severity::Blocking,
            format!(
                "services.openssh.settings.PermitRootLogin is `{said}`, but the deployment logs in as root"
            ),
            "set pantheros.deploy.user to a user who may become root",
        ));
    }
    let Some(users) = &evidence.facts.users else { return };
    if !evidence.facts.is_unread(&["users"])
        && !users.iter().any(|user| ways.is_administrator(user) && ways.has_key(user))
    {
        risks.push(risk(
            "no_administrator",
            Severity::Blocking,
            "no user who may become root would have an SSH key",
            "authorize a key for a user in `wheel`",
        ));
    }
    match users.iter().find(|user| user.name == evidence.user) {
        None => risks.push(risk(
            "user_gone",
            Severity::Blocking,
            format!("the deploying user `{}` would no longer exist", evidence.user),
            "keep the user, or first set pantheros.deploy.user to another user",
        )),
        // Only the name of the user is known; `unread` has added that risk.
        Some(user) if evidence.facts.is_unread(&["users", &user.name]) => {}
        Some(user) => push_user_risks(ways, user, risks),
    }
}

/// Checks that sshd still listens at the address and port that the connection arrives at. Address translation may make
/// them differ from those that were connected to.
fn push_port_risks(ssh: &Ssh, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let (address, port) = match evidence.state.server_address {
        Some((address, port)) => (Some(address), port),
        None => (None, evidence.port),
    };
    let at = |listen: &str| {
        let listen = listen.trim_matches(['[', ']']);
        matches!(listen, "" | "*" | "0.0.0.0" | "::")
            || listen.parse::<std::net::IpAddr>().map_or(true, |listen| Some(listen) == address)
    };
    let listens = if ssh.listens.is_empty() || address.is_none() {
        ssh.ports.contains(&port)
    } else {
        ssh.listens.iter().any(|listen| {
            at(&listen.address) && listen.port.map_or_else(|| ssh.ports.contains(&port), |own| own == port)
        })
    };
    if !listens {
        let now = address.map_or_else(|| port.to_string(), |address| format!("{address} port {port}"));
        let addresses: Vec<&str> = ssh.listens.iter().map(|listen| listen.address.as_str()).collect();
        risks.push(risk(
            "ssh_moved",
            Severity::Blocking,
            format!(
                "SSH would no longer listen on {now}, but on the ports {:?}{}",
                ssh.ports,
                if addresses.is_empty() { String::new() } else { format!(" of {}", addresses.join(", ")) }
            ),
            "keep the old port and address until the new ones are known to work, and set pantheros.deploy.port",
        ));
    } else if let Some(firewall) = &evidence.facts.firewall {
        risks.extend(firewall_risk(firewall, port, &evidence.state.interfaces));
    }
}

fn firewall_risk(firewall: &Firewall, port: u16, interfaces: &[String]) -> Option<Risk> {
    let open = |name: &String| {
        firewall.trusted.contains(name) || firewall.interfaces.get(name).is_some_and(|open| open.has(port))
    };
    if firewall.everywhere.has(port) || interfaces.iter().any(open) {
        return None;
    }
    let elsewhere = firewall.interfaces.iter().any(|(_, open)| open.has(port))
        || firewall.trusted.iter().any(|name| name != "lo");
    let (severity, but) = if firewall.rules {
        (Severity::Warning, ", unless a rule in extraInputRules or extraCommands opens it")
    } else if interfaces.is_empty() && elsewhere {
        (Severity::Warning, ", unless the connection arrives at an interface that has it open")
    } else {
        (Severity::Blocking, "")
    };
    Some(risk(
        "ssh_firewalled",
        severity,
        format!("the firewall would block port {port}{but}"),
        "add the port to networking.firewall.allowedTCPPorts, or keep services.openssh.openFirewall enabled",
    ))
}

/// Checks that a key alone is enough to log in, since a deployment uses nothing else.
fn push_method_risks(ssh: &Ssh, risks: &mut Vec<Risk>) {
    let asks_more = ssh.methods.as_ref().is_some_and(|methods| {
        !methods.is_empty() && !methods.iter().any(|method| matches!(method.as_str(), "any" | "publickey"))
    });
    let refused = ssh.public_keys.as_ref().is_some_and(super::super::facts::YesNo::is_no);
    if asks_more || refused {
        let set = if refused { "PubkeyAuthentication" } else { "AuthenticationMethods" };
        risks.push(risk(
            "key_not_enough",
            Severity::Blocking,
            format!("a key alone would not be enough to log in: services.openssh.settings.{set}"),
            "allow the deploying user to log in with a key alone",
        ));
    }
}

/// Answers which users may log in and become root, by the facts and the surveyed state.
#[derive(Clone, Copy)]
struct LoginRules<'a> {
    facts: &'a Facts,
    evidence: Evidence<'a>,
}

impl LoginRules<'_> {
    fn ssh(&self) -> Option<&Ssh> {
        self.facts.ssh.as_ref()
    }

    fn root_logs_in(&self) -> bool {
        let said = self.ssh().and_then(|ssh| ssh.root_login.as_deref());
        !matches!(said, Some("no" | "forced-commands-only"))
    }

    fn is_administrator(&self, user: &User) -> bool {
        if user.name == "root" {
            return self.root_logs_in();
        }
        user.becomes_root == Some(true) || user.groups.iter().any(|group| group == "wheel")
    }

    /// The keys in the user's home folder; empty if they are unknown or sshd ignores them.
    fn home_keys(&self, user: &User) -> &[String] {
        let count = self.ssh().is_some_and(|ssh| ssh.home_keys) && user.name == self.evidence.user;
        if count { &self.evidence.state.home_keys } else { &[] }
    }

    fn has_key(&self, user: &User) -> bool {
        user.has_key() || !self.home_keys(user).is_empty() || self.ssh().is_some_and(|ssh| ssh.other_keys)
    }

    /// Whether the user may log in with this key; `None` if that is unknown.
    fn may_log_in_with(&self, user: &User, key: &str) -> Option<bool> {
        if self.home_keys(user).iter().any(|known| known == key) {
            return Some(true);
        }
        match user.accepts_key(key) {
            Some(false) if self.ssh().is_some_and(|ssh| ssh.other_keys) => None,
            other => other,
        }
    }
}

fn push_user_risks(ways: LoginRules<'_>, user: &User, risks: &mut Vec<Risk>) {
    let name = &user.name;
    if let Some(setting) = ways.ssh().and_then(|ssh| denying_setting(ssh, user)) {
        risks.push(risk(
            "user_not_allowed",
            Severity::Blocking,
            format!("services.openssh.settings.{setting} would not allow `{name}` to log in"),
            "allow the user there, or first set pantheros.deploy.user to another user",
        ));
    }
    match ways.evidence.key.map(|key| (key, ways.may_log_in_with(user, key))) {
        Some((key, Some(false))) => risks.push(risk(
            "key_refused",
            Severity::Blocking,
            format!("`{name}` could no longer log in with the key in use now, {key}"),
            "authorize this key, or deploy with a key that stays authorized",
        )),
        Some((_, None)) | None => risks.push(risk(
            "key_unknown",
            Severity::Warning,
            format!(
                "it is unknown whether `{name}` could log in with the key in use now: it is in a file, \
                 or its options restrict it"
            ),
            "authorize keys by users.users.<name>.openssh.authorizedKeys.keys, which can be evaluated",
        )),
        Some((_, Some(true))) => {}
    }
    if name != "root" && user.becomes_root != Some(true) {
        let (severity, would) = match user.becomes_root {
            Some(_) => (Severity::Blocking, "could not"),
            None => (Severity::Warning, "might not be able to"),
        };
        risks.push(risk(
            "sudo_asks",
            severity,
            format!("`{name}` {would} become root without a password"),
            "put the user into `wheel` and set security.sudo.wheelNeedsPassword = false, or add a rule to \
             security.sudo.extraRules",
        ));
    }
}

/// The first setting that denies a user the login, in the order that sshd applies them (sshd_config(5), `AllowUsers`).
fn denying_setting(ssh: &Ssh, user: &User) -> Option<&'static str> {
    let named = |patterns: &Vec<String>| patterns.iter().any(|pattern| fits_user(pattern, &user.name));
    // A pattern USER@HOST denies the login only from some addresses.
    let denied = |patterns: &Vec<String>| {
        patterns.iter().any(|pattern| !pattern.contains('@') && fits(pattern, &user.name))
    };
    let member = |patterns: &Vec<String>| {
        patterns.iter().any(|pattern| user.groups.iter().any(|group| fits(pattern, group)))
    };
    if ssh.deny_users.as_ref().is_some_and(denied) {
        Some("DenyUsers")
    } else if ssh.allow_users.as_ref().is_some_and(|patterns| !patterns.is_empty() && !named(patterns)) {
        Some("AllowUsers")
    } else if ssh.deny_groups.as_ref().is_some_and(member) {
        Some("DenyGroups")
    } else if ssh.allow_groups.as_ref().is_some_and(|patterns| !patterns.is_empty() && !member(patterns)) {
        Some("AllowGroups")
    } else {
        None
    }
}

fn fits_user(pattern: &str, user: &str) -> bool {
    fits(pattern.split('@').next().unwrap_or_default(), user)
}

/// Whether the name matches a pattern with `*` and `?` (ssh_config(5), PATTERNS).
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            fits(after_first(pattern), name) || (!name.is_empty() && fits(pattern, after_first(name)))
        }
        Some(first) => {
            let same = if first == '?' { !name.is_empty() } else { name.starts_with(first) };
            same && fits(after_first(pattern), after_first(name))
        }
    }
}

fn after_first(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}
