//! The names in the message of a removal.

/// Ends of phrases after which a message names a replacement without quotes.
const BEFORE: &[&str] = &[
    "use",
    "using",
    "try",
    "consider",
    "instead",
    "upgrade to",
    "replaced by",
    "superseded by",
    "replaced with",
    "renamed to",
    "moved to",
    "migrate to",
    "migrating to",
    "switch to",
    "switching to",
    "favor of",
    "favour of",
];

/// The names that a message may mean as replacements of `removed`, in the order of the message: those in quotes if it has any,
/// otherwise the words that stand where a replacement is named, or look like names.
pub(super) fn named(message: &str, removed: &str) -> Vec<String> {
    let last = removed.rsplit('.').next().unwrap_or_default();
    let others = |name: &String| name != removed && name != last && is_path(name);
    let quoted: Vec<String> = quoted(message).into_iter().map(without_prefix).filter(others).collect();
    let mut names = quoted;
    // The two words before, and whether the last one was a name.
    let (mut before, mut names_one) = ([String::new(), String::new()], false);
    for word in message.split_whitespace() {
        let name = word.trim_matches(|character: char| !character.is_alphanumeric() && character != '_');
        let looks_like_a_name =
            name.contains(['-', '_', '.']) || name.chars().any(|character| character.is_ascii_digit());
        let name = without_prefix(name.to_owned());
        let phrase = format!(" {}", before.join(" "));
        let is_named =
            BEFORE.iter().any(|end| phrase.ends_with(&format!(" {end}"))) || names_one && before[1] == "or";
        let counts = (looks_like_a_name || is_named) && others(&name);
        if counts && !names.contains(&name) {
            names.push(name);
        }
        let word = word.trim_matches(|character: char| !character.is_alphanumeric()).to_lowercase();
        // "or" keeps whether a name stood before it.
        names_one = counts || names_one && word == "or";
        before = [std::mem::take(&mut before[1]), word];
    }
    names
}

/// The parts of a message between single, double, or back quotes.
fn quoted(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = message;
    while let Some(start) = rest.find(['\'', '`', '"']) {
        let quote = rest.get(start..).and_then(|text| text.chars().next()).unwrap_or('\'');
        let inner = rest.get(start + quote.len_utf8()..).unwrap_or_default();
        // NixOS writes `name'.
        let Some(end) = inner.find(|character| character == quote || quote == '`' && character == '\'')
        else {
            break;
        };
        let name = inner.get(..end).unwrap_or_default();
        if is_path(name) {
            found.push(name.to_owned());
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            // An apostrophe begins no quotation.
            rest = inner;
        }
    }
    found
}

fn without_prefix(name: String) -> String {
    name.strip_prefix("pkgs.").map(str::to_owned).unwrap_or(name)
}

fn is_path(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-+.<>*\"".contains(character))
        && name.chars().any(|character| character.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_replacements_in_many_ways() {
        for (message, removed, expected) in [
            ("'agrep' was removed. Consider 'tre' or 'ugrep'.", "agrep", "tre ugrep"),
            ("antibody was removed. Consider antidote.", "antibody", "antidote"),
            ("it was dropped; use foo or bar, and see the manual", "old", "foo bar"),
            ("it reached its end of life and has been removed", "mysql80", ""),
            ("it isn't maintained, use `pkgs.python3`", "python", "python3"),
            ("mysql-client was replaced by mariadb.client.", "mysql-client", "mariadb.client"),
            ("'dateutil' was renamed to 'python-dateutil'", "python313Packages.dateutil", "python-dateutil"),
            ("gcc12 was removed, because nobody maintains it", "gcc12", ""),
            ("The option `a.b' was removed. Use `a.c' instead.", "a.b", "a.c"),
        ] {
            assert_eq!(named(message, removed).join(" "), expected, "{message}");
        }
    }
}
