//! Questions to a person at the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use crate::diagnostic::{Code, Diagnostic};

/// Most bytes read of a typed line.
const LONGEST_LINE: u64 = 1_024;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PromptError {
    /// The program does not run in a terminal.
    #[error("this command needs a terminal, because a person has to answer")]
    NoTerminal,
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
    /// A signal came: Ctrl-C, or a request to end.
    #[error("interrupted: nothing was changed")]
    Interrupted,
}

impl From<io::Error> for PromptError {
    fn from(error: io::Error) -> Self {
        Self::Terminal(error)
    }
}

impl From<&PromptError> for Diagnostic {
    fn from(error: &PromptError) -> Self {
        let code = match error {
            PromptError::NoTerminal | PromptError::Terminal(_) => Code::ApprovalRequired,
            PromptError::Interrupted => Code::Cancelled,
        };
        Self::new(code, error.to_string())
    }
}

/// The terminal, to ask a person.
pub(super) struct TerminalPrompt {
    /// `None` while a line is read, and after a question that was cancelled.
    keyboard: Option<BufReader<File>>,
    screen: File,
}

impl TerminalPrompt {
    /// Opens the controlling terminal. Standard input and output must be a terminal, too.
    pub(super) fn open() -> Result<Self, PromptError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(PromptError::NoTerminal);
        }
        let open = || OpenOptions::new().read(true).write(true).open("/dev/tty");
        let (input, screen) = (open().map_err(|_| PromptError::NoTerminal)?, open()?);
        if !input.is_terminal() {
            return Err(PromptError::NoTerminal);
        }
        Ok(Self { keyboard: Some(BufReader::new(input)), screen })
    }

    /// Prints the question and returns the typed line, trimmed; `None` at the end of the input.
    pub(super) async fn ask(
        &mut self,
        question: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, PromptError> {
        write!(self.screen, "{question}")?;
        self.screen.flush()?;
        let Some(mut keyboard) = self.keyboard.take() else { return Ok(None) };
        let (typed, answer) = oneshot::channel();
        // A read of a terminal cannot be cancelled, so it runs on a separate thread, which may outlive the question. The
        // runtime would wait for one of its blocking threads.
        std::thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            let line = read_line(&mut keyboard);
            let _nobody_waits = typed.send((keyboard, line));
        })?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                writeln!(self.screen)?;
                Err(PromptError::Interrupted)
            }
            answer = answer => {
                let Ok((keyboard, line)) = answer else { return Ok(None) };
                self.keyboard = Some(keyboard);
                Ok(line?)
            }
        }
    }
}

fn read_line(keyboard: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    keyboard.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    Ok(if bytes.is_empty() { None } else { Some(String::from_utf8_lossy(&bytes).trim().to_owned()) })
}

/// Runs `ask`, and cancels it when a signal comes.
///
/// Once a signal is caught, its default action stays off (tokio does not restore it), so a question has to react to it.
pub(super) async fn cancel_on_signal<T>(
    signals: &mut Signals,
    ask: impl AsyncFnOnce(&CancellationToken) -> T,
) -> T {
    let cancel = CancellationToken::new();
    let asked = ask(&cancel);
    tokio::pin!(asked);
    tokio::select! {
        done = &mut asked => return done,
        () = signals.next() => cancel.cancel(),
    }
    asked.await
}
