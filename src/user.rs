//! The user who runs this program, according to the system and not to the environment.

use std::path::{Path, PathBuf};

use crate::{platform, reading};

/// The list of users (passwd(5)). Users of a directory service are not in it and are shown by number.
const PASSWD: &str = "/etc/passwd";
/// Most bytes read of it.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;
/// The login of a process that nobody logged in for.
const NO_LOGIN: u32 = u32::MAX;

/// The user this program runs as, such as `alice (uid 1000)`, and the user who logged in if that is another one.
#[must_use]
pub fn current() -> String {
    let users = reading::text(Path::new(PASSWD), LARGEST_FILE).unwrap_or_default();
    describe(rustix::process::getuid().as_raw(), platform::login_user(), &users)
}

/// The user's home folder in passwd(5); `None` for a user of a directory service.
#[must_use]
pub fn home() -> Option<PathBuf> {
    let users = reading::text(Path::new(PASSWD), LARGEST_FILE).unwrap_or_default();
    home_in(&users, rustix::process::getuid().as_raw())
}

fn home_in(users: &str, user: u32) -> Option<PathBuf> {
    let home = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(user)).then(|| fields.get(5).map(PathBuf::from))?
    });
    home.filter(|home| home.is_absolute())
}

fn describe(user: u32, login: Option<u32>, users: &str) -> String {
    let named = |id: u32| {
        let name = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(id)).then_some(name)
        });
        match name {
            Some(name) => format!("{} (uid {id})", crate::text::bounded(&crate::text::plain(name), 64)),
            None => format!("uid {id}"),
        }
    };
    match login {
        Some(login) if login != NO_LOGIN && login != user => {
            format!("{}, logged in as {}", named(user), named(login))
        }
        _ => named(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_from_what_they_became() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nalice:x:1000:100:A,B:/home/alice:/bin/sh\n";
        assert_eq!(describe(1_000, Some(1_000), users), "alice (uid 1000)");
        assert_eq!(describe(1_000, Some(NO_LOGIN), users), "alice (uid 1000)");
        assert_eq!(describe(1_000, None, users), "alice (uid 1000)");
        assert_eq!(describe(0, Some(1_000), users), "root (uid 0), logged in as alice (uid 1000)");
        assert_eq!(describe(7, Some(7), ""), "uid 7");
        assert!(current().contains("uid "));
    }

    #[test]
    fn a_home_is_the_users_own() {
        let users =
            "root:x:0:0::/root:/bin/sh\nbroken:x:5\nalice:x:1000:100:A,B:/home/alice:/bin/sh\nx:x:7:7:::\n";
        assert_eq!(home_in(users, 1_000), Some("/home/alice".into()));
        assert_eq!(home_in(users, 7), None);
        assert_eq!(home_in(users, 5), None);
        assert_eq!(home_in("", 0), None);
    }
}
