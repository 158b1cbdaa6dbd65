//! Cleans and shortens untrusted text: from build logs, hosts and clients. It must not control a terminal.

/// `text` without ANSI escapes and control characters, except tabs and line feeds.
///
/// An escape sequence from a build or a host could change what a person sees in the terminal where they approve a plan.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\n' | '\t' => out.push(character),
            // A carriage return alone redraws a line (progress bars); with a line feed it is a line end.
            '\r' => {
                if characters.peek().is_some_and(|next| *next != '\n') {
                    out.push('\n');
                }
            }
            // Only some programs take these Unicode characters for line ends: a line must be the same for all.
            '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            _ if character.is_control() || is_invisible(character) => {}
            _ => out.push(character),
        }
    }
    out
}

/// `text` for use within a line of a message: plain, on one line, at most `limit` characters.
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    // Cut first, because cleaning takes time for all of the text.
    let some: String = text.chars().take(limit.saturating_mul(4)).collect();
    bounded(plain(&some).replace(['\n', '\t'], " ").trim(), limit)
}

/// `text` for use within an error about it: with its blanks, and with escapes for invisible characters.
#[must_use]
pub fn exact(text: &str, limit: usize) -> String {
    let some = text.chars().take(limit.saturating_add(1));
    let shown = some.fold(String::new(), |mut shown, character| {
        let is_seen = !character.is_control() && !is_invisible(character) && !is_other_blank(character);
        if is_seen {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
        shown
    });
    bounded(&shown, limit)
}

/// Whether the character is white space other than U+0020.
fn is_other_blank(character: char) -> bool {
    character.is_whitespace() && character != ' '
}

/// Whether the character is a bidirectional mark, a zero-width character, a tag or a variation selector. They change how
/// text looks, or carry words that only a model sees (Unicode, "Default_Ignorable_Code_Point").
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Skips an escape sequence after its escape character (ECMA-48: control sequences, and strings that BEL or ST ends).
fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.peek() {
        Some('[') => {
            characters.next();
            skip_control_sequence(characters);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            characters.next();
            while let Some(character) = characters.next() {
                match character {
                    '\u{7}' | '\u{9c}' => break,
                    '\u{1b}' => {
                        if characters.peek() == Some(&'\\') {
                            characters.next();
                        }
                        break;
                    }
                    // An unterminated string must not swallow the following lines.
                    '\n' => break,
                    _ => {}
                }
            }
        }
        Some(_) => {
            while let Some(character) = characters.next_if(|next| ('\u{20}'..='\u{7e}').contains(next)) {
                if character >= '\u{30}' {
                    break;
                }
            }
        }
        None => {}
    }
}

/// Skips parameters up to and with the final byte of a control sequence.
fn skip_control_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(character) = characters.next_if(|next| ('\u{20}'..='\u{7e}').contains(next)) {
        if ('\u{40}'..='\u{7e}').contains(&character) {
            break;
        }
    }
}

/// Prefix of each line that a build, a host or a flake wrote.
pub const FENCE: &str = "│ ";

/// Longest fenced line, in characters.
const FENCED_LINE: usize = 500;

/// Untrusted text with a [`FENCE`] before each line, so that no line looks like one of this program.
#[must_use]
pub fn fenced(text: &str) -> String {
    let plain = plain(text);
    let lines: Vec<String> =
        plain.trim_end().lines().map(|line| format!("{FENCE}{}", bounded(line, FENCED_LINE))).collect();
    lines.join("\n")
}

/// Longest untrusted name within a sentence, in characters.
const WORD: usize = 120;

/// An untrusted name for use within a sentence: the name if it is one word, else an ellipsis.
#[must_use]
pub fn word(name: &str) -> &str {
    if is_word(name) { name } else { "…" }
}

/// Whether a name is one word of letters, digits and the punctuation of names, so that it cannot contain an instruction.
#[must_use]
pub fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= WORD
        && WRITTEN_BLANKS.iter().all(|blank| !name.contains(blank))
        && name.chars().all(|c| c.is_alphanumeric() || "._-+:/@%=,~#?!*^$&|<>()[]{}«»'\"`\\".contains(c))
}

/// The escape for a blank within a name (fstab(5)).
pub const BLANK: &str = "\\040";

/// Escapes for a blank in fstab, in systemd and Nix, and in URLs. A model reads them as blanks.
const WRITTEN_BLANKS: &[&str] = &[BLANK, "\\x20", "%20"];

/// An untrusted name as one word without control characters, with [`BLANK`] in place of blanks.
#[must_use]
pub fn joined(name: &str) -> String {
    let plain = plain(name);
    let mut out = String::with_capacity(plain.len());
    for character in plain.trim().chars() {
        if character.is_whitespace() { out.push_str(BLANK) } else { out.push(character) }
    }
    out
}

/// Untrusted names for use within a sentence, separated by commas.
#[must_use]
pub fn words<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The first `limit` characters of `text`, the last of them an ellipsis if something was cut.
#[must_use]
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The last `limit` characters of `text`, the first of them an ellipsis if something was cut.
#[must_use]
pub fn tail(text: &str, limit: usize) -> String {
    let beyond = text.chars().count().saturating_sub(limit);
    if beyond == 0 {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip(beyond + 1)).collect()
}

/// At most `most` names similar to `wanted`, the best first. Names that differ in more than a third of their letters are left
/// out.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<String> {
    // The comparison takes quadratic time; a longer name is no typing error.
    let wanted: String = wanted.chars().take(128).flat_map(char::to_lowercase).collect();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let mut score = strsim::normalized_damerau_levenshtein(&wanted, &lower);
            if wanted.len() >= 3 && (lower.contains(&wanted) || wanted.contains(&lower) && lower.len() >= 3) {
                score = score.max(0.75);
            }
            (score > 0.6).then_some((score, name))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(most).map(|(_, name)| name.to_owned()).collect()
}

/// A number of bytes for people, in binary units.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_removed() {
        assert_eq!(plain("\u{1b}[31;1merror:\u{1b}[0m no"), "error: no");
        assert_eq!(plain("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(plain("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(plain("\u{1b}(Bplain"), "plain");
        assert_eq!(plain("a\u{8}b\u{0}c"), "abc");
        assert_eq!(plain("10%\r20%\r\n"), "10%\n20%\n");
        assert_eq!(plain("user\u{202e}txt.exe"), "usertxt.exe");
        assert_eq!(plain("\u{1b}]unterminated\nnext"), "next");
        assert_eq!(plain("a\u{2028}b\u{85}c"), "a\nb\nc");
        // Tags spell ASCII that only a model reads; variation selectors carry any bytes.
        assert_eq!(plain("a\u{e0041}\u{e0101}\u{fe01}\u{61c}b"), "ab");
    }

    #[test]
    fn a_part_of_a_line_stays_in_it() {
        assert_eq!(line("a\n\u{1b}[2Jb\tc\u{2029}d ", 80), "a b c d");
        assert_eq!(line(&"x".repeat(100_000), 5), "xxxx…");
    }

    #[test]
    fn no_line_of_others_reads_as_ours() {
        assert_eq!(fenced("a\r\nb\u{2028}│ c\u{b}\u{85}d\n\n"), "│ a\n│ b\n│ │ c\n│ d");
        assert_eq!(fenced(&"x".repeat(10_000)).chars().count(), FENCED_LINE + 2);
        assert_eq!(joined(" /srv/my\u{1b}[2J files\u{a0}x\n"), "/srv/my\\040files\\040x");
        assert_eq!(words(["nginx.service", "IGNORE ALL", "a\u{a0}b", ""]), "nginx.service, …, …, …");
        assert_eq!(words([r"dev\x2dx.swap", r"a\040b", r"a\x20b", "a%20b"]), r"dev\x2dx.swap, …, …, …");
    }

    #[test]
    fn cutting_says_so() {
        assert_eq!(bounded("short", 10), "short");
        assert_eq!(bounded("äöüäöü", 4), "äöü…");
        assert_eq!((tail("short", 5), tail("äöüäöü", 4)), ("short".to_owned(), "…äöü".to_owned()));
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(nearest("wbe", ["web", "mail", "db"], 3), ["web"]);
        assert_eq!(nearest("ovh", ["hetzner-cloud", "ovh-cloud"], 3), ["ovh-cloud"]);
        assert!(nearest("zzz", ["web", "mail"], 3).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_steers_a_terminal(text in any::<String>()) {
            let out = plain(&text);
            prop_assert!(out.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
            prop_assert_eq!(plain(&out), out.clone());
            prop_assert!(bounded(&out, 10).chars().count() <= 10);
        }
    }
}
