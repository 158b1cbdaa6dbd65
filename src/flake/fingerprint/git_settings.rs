//! Parses a settings file of Git (git-config(1), "Syntax") as Git and libgit2 do.

/// `section.key` in lower case, without the subsection, and the value; `None` for a key without a value, which means "true".
pub(super) type Setting = (String, Option<Vec<u8>>);

/// Parses the settings in a file; `None` if Git would refuse it.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Setting>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = ConfigReader { rest: text };
    let mut settings = Vec::new();
    let mut section = String::new();
    while let Some(byte) = reader.next() {
        match byte {
            b'\n' => {}
            _ if byte.is_ascii_whitespace() => {}
            b'#' | b';' => reader.skip_line(),
            b'[' => section = reader.section()?,
            _ if byte.is_ascii_alphabetic() => {
                let (key, value) = reader.setting(byte)?;
                settings.push((format!("{section}.{key}"), value));
            }
            _ => return None,
        }
    }
    Some(settings)
}

struct ConfigReader<'a> {
    rest: &'a [u8],
}

impl ConfigReader<'_> {
    /// The next byte, with CR LF as one newline.
    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        if *byte == b'\r' && rest.first() == Some(&b'\n') {
            self.rest = rest.get(1..)?;
            return Some(b'\n');
        }
        self.rest = rest;
        Some(*byte)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|byte| byte != b'\n') {}
    }

    /// The name of a section, after its opening bracket.
    fn section(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.next()? {
                b']' => break,
                byte if byte.is_ascii_whitespace() && byte != b'\n' => {
                    self.skip_subsection()?;
                    break;
                }
                byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                _ => return None,
            }
        }
        // The old spelling of a subsection.
        Some(name.split('.').next().unwrap_or_default().to_owned())
    }

    fn skip_subsection(&mut self) -> Option<()> {
        let mut byte = self.next()?;
        while byte == b' ' || byte == b'\t' {
            byte = self.next()?;
        }
        if byte != b'"' {
            return None;
        }
        loop {
            match self.next()? {
                b'\n' => return None,
                b'\\' => _ = self.next().filter(|byte| *byte != b'\n')?,
                b'"' => break,
                _ => {}
            }
        }
        (self.next()? == b']').then_some(())
    }

    /// A key that begins with `first`, and its value.
    fn setting(&mut self, first: u8) -> Option<(String, Option<Vec<u8>>)> {
        let mut key = String::from(char::from(first.to_ascii_lowercase()));
        let mut byte = self.next();
        while let Some(part) = byte.filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
            key.push(char::from(part.to_ascii_lowercase()));
            byte = self.next();
        }
        while matches!(byte, Some(b' ' | b'\t')) {
            byte = self.next();
        }
        match byte {
            None | Some(b'\n') => Some((key, None)),
            Some(b'=') => Some((key, Some(self.value()?))),
            Some(_) => None,
        }
    }

    /// A value up to the end of its last line, without comment and surrounding space.
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        // The length without trailing space.
        let mut length = 0;
        let mut is_quoted = false;
        loop {
            match self.next() {
                None | Some(b'\n') if is_quoted => return None,
                None | Some(b'\n') => break,
                Some(b'#' | b';') if !is_quoted => {
                    self.skip_line();
                    break;
                }
                Some(b'"') => {
                    is_quoted = !is_quoted;
                }
                Some(b'\\') => match self.next().unwrap_or(b'\n') {
                    b'\n' => {}
                    b'n' => value.push(b'\n'),
                    b't' => value.push(b'\t'),
                    b'b' => value.push(8),
                    byte @ (b'\\' | b'"') => value.push(byte),
                    _ => return None,
                },
                Some(byte) if byte.is_ascii_whitespace() && !is_quoted => {
                    if !value.is_empty() {
                        value.push(byte);
                    }
                    continue;
                }
                Some(byte) => value.push(byte),
            }
            length = value.len();
        }
        value.truncate(length);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The settings as Git itself prints them.
    fn by_git(text: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, text).unwrap();
        let output = std::process::Command::new("git")
            .args(["config", "--list", "-z", "--no-includes", "--file"])
            .arg(&file)
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn by_us(text: &str) -> Option<String> {
        let settings = parse(text.as_bytes())?.into_iter().map(|(name, value)| match value {
            None => format!("{name}\0"),
            Some(value) => format!("{name}\n{}\0", String::from_utf8(value).unwrap()),
        });
        Some(settings.collect())
    }

    #[test]
    fn it_says_what_git_reads_in_it() {
        for text in [
            "",
            "[include]\n\tpath = x # y\n",
            "[include]\npath=x;y",
            "[include]\npath = \"x # y\" ; z\n",
            "[include]\npath = one\\\ntwo\n",
            "[include]\npath = one # not \\\npath = two\n",
            "[include] path = x\n",
            "[Core]\n\tAutoCRLF\n\tignoreStat # c\n\teol=lf\r\n",
            "[core]\n a = \"x  \" y  \n b = x\" y\"z\n c = \\\\ \\\" \\t|\n d =\n e = \"\"\n",
            "\u{feff}[core]\na = b\n",
            "; all\n# comments\n[core]#more\n a = b",
            "[core]\na # b\n",
            "[core]\na b\n",
            "[core]\na = \"b\n",
            "[core]\na = \\x\n",
            "[core\na = b\n",
            "[core]\n1a = b\n",
            "[core]\n a = b \\\n   c   d  \\\n",
            "[core]\n a = \"one \\\n two\"\n",
        ] {
            assert_eq!(by_us(text), by_git(text), "{text:?}");
        }
        // Git's list has the subsections, which this parser leaves out.
        let sections = "[includeIf \"gitdir:[a]\\\"#\"]\npath = x\n[a.B]\nc = d\n";
        assert_eq!(by_us(sections).unwrap(), "includeif.path\nx\0a.c\nd\0");
        assert!(by_git(sections).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn whatever_it_is(body in "([a-c#;=\"\\\\ \t\n]|\r\n){0,24}") {
            let text = format!("[s]\nk = {body}");
            prop_assert_eq!(by_us(&text), by_git(&text));
        }
    }
}
