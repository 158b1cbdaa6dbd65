//! Text that came from outside: build logs, hosts, clients. Nothing in it may steer a terminal.

/// `text` without control sequences: ANSI escapes and control characters are removed, tabs and line feeds kept.
///
/// What a build or a host prints is untrusted; an escape sequence in it could rewrite what a
/// person reads in the terminal where they approve something.
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
            // Ends of lines for whoever follows Unicode, and to nobody else: a line is to be one for all.
            '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            _ if character.is_control() || is_invisible(character) => {}
            _ => out.push(character),
        }
    }
    out
}

/// `text` as a part of a line of ours: plain, on one line, and at most `limit` characters of it.
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    // Cleaning is linear in what is given, and most of that may be cut.
    let some: String = text.chars().take(limit.saturating_mul(4)).collect();
    bounded(plain(&some).replace(['\n', '\t'], " ").trim(), limit)
}

/// `text` as a part of a line of ours that says why it was refused: with its blanks, and what cannot be seen written out.
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

/// A blank that is not the usual one, and looks like it.
fn is_other_blank(character: char) -> bool {
    character.is_whitespace() && character != ' '
}

/// Bidirectional marks, zero-width characters, tags and variation selectors: text that has them reads as something else
/// than it is, or carries words that only a model sees (Unicode, "Default_Ignorable_Code_Point").
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

/// Skips what follows an escape character (ECMA-48: control sequences, and strings ended by BEL or ST).
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

/// What begins each line that others wrote: builds, hosts and flakes.
pub const FENCE: &str = "│ ";

/// Longest fenced line, in characters.
const FENCED_LINE: usize = 500;

/// Text that others wrote, each line of it behind a [`FENCE`]: no line of it can be read as one of ours.
#[must_use]
pub fn fenced(text: &str) -> String {
    let plain = plain(text);
    let lines: Vec<String> =
        plain.trim_end().lines().map(|line| format!("{FENCE}{}", bounded(line, FENCED_LINE))).collect();
    lines.join("\n")
}

/// Longest name that may stand within a sentence of ours, in characters.
const WORD: usize = 120;

/// A name that others chose, as it may stand within a sentence of ours: itself if it is one word, else an ellipsis.
#[must_use]
pub fn word(name: &str) -> &str {
    if is_word(name) { name } else { "…" }
}

/// Whether a name is one word, in which nobody can say anything: letters, digits and what joins them in names.
#[must_use]
pub fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= WORD
        && WRITTEN_BLANKS.iter().all(|blank| !name.contains(blank))
        && name.chars().all(|c| c.is_alphanumeric() || "._-+:/@%=,~#?!*^$&|<>()[]{}«»'\"`\\".contains(c))
}

/// What a blank within a name is written as (fstab(5)).
pub const BLANK: &str = "\\040";

/// Blanks as others write them out (fstab, systemd and Nix, URLs), which a model reads as blanks.
const WRITTEN_BLANKS: &[&str] = &[BLANK, "\\x20", "%20"];

/// A name that others chose, as one word that cannot steer a terminal, with [`BLANK`] for each blank in it.
#[must_use]
pub fn joined(name: &str) -> String {
    let plain = plain(name);
    let mut out = String::with_capacity(plain.len());
    for character in plain.trim().chars() {
        if character.is_whitespace() { out.push_str(BLANK) } else { out.push(character) }
    }
    out
}

/// Names that others chose, as they may stand within a sentence of ours, with commas between them.
#[must_use]
pub fn words<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

/// `text` cut to at most `limit` characters, the last of them an ellipsis where something was cut.
#[must_use]
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The end of `text`, at most `limit` characters of it, the first of them an ellipsis where something was cut.
#[must_use]
pub fn tail(text: &str, limit: usize) -> String {
    let beyond = text.chars().count().saturating_sub(limit);
    if beyond == 0 {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip(beyond + 1)).collect()
}

/// The names closest to `wanted`, best first: what to suggest for a name that does not exist.
///
/// Names that differ in more than a third of their letters are not worth suggesting.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<String> {
    // Comparing is quadratic in length; a name beyond this is no typing error.
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

/// A number of bytes as a person reads it, in binary units.
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
