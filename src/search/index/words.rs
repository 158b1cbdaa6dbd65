//! Splits names and sentences into the words that searches compare.

/// The words of a text, in lower case: each run of letters and digits, and its pieces where its case changes or digits begin
/// or end. `python313Packages.requests` has `python313packages`, `python`, `313`, `packages` and `requests`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|character: char| !character.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let pieces = pieces(run);
        words.push(run.to_lowercase());
        if pieces.len() > 1 {
            words.extend(pieces);
        }
    }
    words
}

/// The pieces of a run of letters and digits, in lower case.
pub(super) fn pieces(run: &str) -> Vec<String> {
    let characters: Vec<char> = run.chars().collect();
    let mut pieces = vec![String::new()];
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let begins = before.is_some_and(|before| {
            before.is_numeric() != character.is_numeric()
                || before.is_lowercase() && character.is_uppercase()
                // The last capital of a run begins the next word: HTTPServer.
                || before.is_uppercase()
                    && character.is_uppercase()
                    && after.is_some_and(|after| after.is_lowercase())
        });
        if begins {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.extend(character.to_lowercase());
        }
    }
    pieces
}

/// Whether the pieces of a word stand next to one another in a name, in their order. The last one may be the beginning of a
/// piece of the name, unless `whole` is set.
pub(super) fn has_in_sequence(name: &[String], wanted: &[String], whole: bool) -> bool {
    let Some((last, before)) = wanted.split_last() else { return false };
    name.windows(wanted.len()).any(|window| match window.split_last() {
        Some((end, begin)) => begin == before && (end == last || !whole && end.starts_with(last.as_str())),
        None => false,
    })
}

/// The smallest words of a name: the pieces of each run of letters and digits.
pub(super) fn all_pieces(name: &str) -> Vec<String> {
    let runs = name.split(|character: char| !character.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.flat_map(pieces).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_a_reader_would() {
        for (text, expected) in [
            ("ripgrep", "ripgrep"),
            ("python313Packages.requests", "python313packages python 313 packages requests"),
            (
                "services.openssh.settings.PermitRootLogin",
                "services openssh settings permitrootlogin permit root login",
            ),
            ("HTTPServer", "httpserver http server"),
            ("postgresql_16", "postgresql 16"),
            ("nodejs-18_x", "nodejs 18 x"),
            ("_7zz", "7zz 7 zz"),
            ("  ", ""),
            ("Größe", "größe"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }
}
