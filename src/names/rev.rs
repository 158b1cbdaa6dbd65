//! Git revisions.

use super::name;

name!(
    /// A revision of a Git repository: a commit, or the name of a branch or a tag.
    ///
    /// Stricter than git-check-ref-format(1), and without expressions such as `main~2` and `@{yesterday}` (gitrevisions(7)).
    Rev, "a revision", at most 200,
    "a commit, a branch, a tag or HEAD: letters, digits and any of _./+#- within, starting with a letter, digit or '_'",
    "^\\w[\\w./+#-]*$",
    |given| {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let last = !given.ends_with(['/', '.']) && !given.ends_with(".lock");
        let plain = given.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./+#-".contains(&b));
        first && last && plain && !given.contains("..") && !given.contains("//")
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_names_and_nothing_that_git_reckons_with() {
        for given in ["HEAD", "main", "origin/main", "v1.0", "feature/a_b-c#3+x", "refs/tags/v1", "0a1b2c3d"]
        {
            assert!(given.parse::<Rev>().is_ok(), "{given:?} was refused");
        }
        for given in [
            "", "-h", "--all", "a b", "a..b", "main~2", "main^", "@{u}", "@", "a:b", "a?rev=b", "a&b",
            "a%20", "a\nb", "a/", "/a", "a//b", "a.lock", "*", "[a]", "a\\b", "..", "a\0",
        ] {
            assert!(given.parse::<Rev>().is_err(), "{given:?} was accepted");
        }
        assert!("a".repeat(201).parse::<Rev>().is_err());
    }
}
