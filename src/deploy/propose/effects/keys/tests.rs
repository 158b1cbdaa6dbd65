use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

#[test]
fn a_key_is_shown_by_its_fingerprint() {
    let (key, options) = parse("ada", &format!("{KEY} ada@laptop")).unwrap();
    assert_eq!(key.key, "ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
    assert_eq!((key.comment.as_str(), key.has_options, options.as_str()), ("ada@laptop", false, ""));
    let (key, options) = parse("ada", &format!("from=\"10.0.0.1\",command=\"a b\" {KEY}")).unwrap();
    assert_eq!((key.has_options, options.as_str()), (true, "from=\"10.0.0.1\",command=\"a b\""));
    for wrong in
        ["ssh-ed25519", "ssh-ed25519 AAAA!", "AAAAC3NzaC1lZDI1NTE5", "rot13 AAAAC3Nz", "-----BEGIN OPENSSH"]
    {
        assert_eq!(parse("ada", wrong), None, "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn no_line_makes_it_panic(line in "[\\s\\S]{0,100}", front in "[ -~]{0,20}") {
        let _ = parse(&line, &line);
        let _ = parse("ada", &format!("{front}{KEY}{line}"));
    }
}
