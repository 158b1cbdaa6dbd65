use std::path::PathBuf;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::diagnostic::{Code, Diagnostic};

fn quiet(_: &[u8], _: u32) -> Flow {
    Flow::Continue
}

fn shell(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

fn alive(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    })
}

async fn gone(marker: &str) {
    let start = Instant::now();
    while alive(marker) {
        assert!(start.elapsed() < Duration::from_secs(2), "{marker} survived");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn both_pipes_are_read() {
    let mut lines = Vec::new();
    let finished = shell("echo out; echo one >&2; printf two >&2; exit 3")
        .run(&CancellationToken::new(), |line, _| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            Flow::Continue
        })
        .await
        .unwrap();
    assert_eq!(finished.stdout, b"out\n");
    assert_eq!(lines, ["one", "two"]);
    assert_eq!(finished.status.code(), Some(3));
}

#[tokio::test]
async fn a_missing_program_is_named_with_what_gives_it() {
    let nowhere = || PathBuf::from("/no/such/program");
    for (program, code, gives) in [
        (Executable::Nix(nowhere()), Code::NixNotFound, "`nix.program`"),
        (Executable::Ssh(nowhere()), Code::SshNotFound, "`ssh.program`"),
        (nowhere().into(), Code::ProgramUnusable, "PATH"),
    ] {
        let error = Command::new(program).run(&CancellationToken::new(), quiet).await.unwrap_err();
        let diagnostic = Diagnostic::from(&error);
        assert_eq!((diagnostic.code, &*diagnostic.message), (code, "there is no program /no/such/program"));
        assert!(diagnostic.hint.unwrap().to_string().contains(gives), "{error}");
    }
    for (program, gives) in [
        (Executable::SshKeygen, "OpenSSH"),
        (Executable::Git, "Git"),
        (Executable::Shell, "/bin"),
        (Executable::Curl, "curl"),
    ] {
        let message = format!("there is no `{program}` on PATH");
        let diagnostic = Diagnostic::from(&ProcessError::NotFound { program });
        assert_eq!((diagnostic.code, diagnostic.message), (Code::ProgramUnusable, message));
        assert!(diagnostic.hint.unwrap().to_string().contains(gives));
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_not_missing() {
    let scratch = tempfile::tempdir().unwrap();
    let script = scratch.path().join("script");
    for (text, mode) in [("#!/no/such/interpreter\n", 0o755), ("", 0o644)] {
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let error = Command::new(script.clone()).run(&CancellationToken::new(), quiet).await.unwrap_err();
        assert!(matches!(error, ProcessError::Spawn { .. }), "{error}");
        assert_eq!(Diagnostic::from(&error).code, Code::ProgramUnusable);
    }
}

#[tokio::test]
async fn output_is_bounded() {
    let error = shell("yes").output_limit(10_000).run(&CancellationToken::new(), quiet).await.unwrap_err();
    assert!(matches!(error, ProcessError::OutputTooLarge { .. }), "{error}");
}

#[tokio::test]
async fn time_is_bounded_and_children_die() {
    let start = Instant::now();
    let error = shell("setsid sleep 7771.5 & sleep 7771.5")
        .time_limit(Duration::from_millis(200))
        .run(&CancellationToken::new(), quiet)
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
    gone("7771.5").await;
}

#[tokio::test]
async fn a_reader_can_give_it_its_time_again() {
    let slow = shell("for step in 1 2 3 4 5 6 7 8; do echo $step >&2; sleep 0.5; done")
        .time_limit(Duration::from_secs(3));
    let error = slow.run(&CancellationToken::new(), quiet).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    let finished = slow.run(&CancellationToken::new(), |_, _| Flow::MoreTime).await.unwrap();
    assert!(finished.status.success());
    // The time limit counts from the last renewal.
    let error = shell("echo >&2; sleep 7776.5")
        .time_limit(Duration::from_millis(200))
        .run(&CancellationToken::new(), |_, _| Flow::MoreTime)
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    gone("7776.5").await;
}

#[tokio::test]
async fn one_that_ignores_the_request_is_killed() {
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { shell("trap '' TERM; while :; do sleep 7772.5; done").run(&cancel, quiet).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    cancel.cancel();
    assert!(matches!(running.await.unwrap(), Err(ProcessError::Cancelled)));
    assert!(start.elapsed() < Duration::from_secs(2));
    gone("7772.5").await;
}

#[tokio::test]
async fn a_dropped_call_ends_its_program() {
    let running = tokio::spawn(async { shell("sleep 7773.5").run(&CancellationToken::new(), quiet).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(alive("7773.5"));
    running.abort();
    gone("7773.5").await;
}

#[tokio::test]
async fn a_reader_can_stop_it() {
    let finished = shell("echo enough >&2; sleep 7774.5")
        .run(&CancellationToken::new(), |_, _| Flow::Stop)
        .await
        .unwrap();
    assert!(!finished.status.success());
    gone("7774.5").await;
}

#[tokio::test]
async fn long_lines_are_cut() {
    let mut longest = 0;
    shell("head -c 3000000 /dev/zero | tr '\\0' x >&2")
        .run(&CancellationToken::new(), |line, _| {
            longest = longest.max(line.len());
            Flow::Continue
        })
        .await
        .unwrap();
    assert_eq!(longest, LINE_LIMIT);
}
