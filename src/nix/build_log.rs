//! Pages of a build log, read as a stream so that the log is never held whole.
//!
//! Positions are byte offsets in the log as the store keeps it. A page begins and ends between lines; a line longer
//! than a `PIECE` is split between characters and outside control sequences.

use std::collections::VecDeque;

use crate::process::Flow;
use crate::text;

/// Most bytes of text in a page.
pub const PAGE: usize = 32 * 1024;
/// Longest part of a line that is read as a whole, in bytes.
const PIECE: usize = 8 * 1024;
/// A control sequence that begins within this many bytes of the end of a piece starts the next piece.
const SEQUENCE: usize = 256;
/// Prefix of a line that a builder prints for Nix and not for people (Nix manual, "Structured build logs").
const STRUCTURED_PREFIX: &[u8] = b"@nix ";

/// Selects a page; offsets are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPosition {
    /// The page that begins at the offset.
    From(u64),
    /// The page that ends at the offset.
    Until(u64),
    /// The last page.
    End,
}

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// Its text, without control sequences and without structured lines.
    pub text: String,
    /// Offset of its first byte.
    pub from: u64,
    /// Offset after its last byte.
    pub until: u64,
    /// Whether the log continues after it.
    pub has_more: bool,
}

/// Reads a log in chunks and keeps the selected page.
#[derive(Debug)]
pub struct LogReader {
    place: LogPosition,
    /// Bytes read so far.
    read: u64,
    /// The incomplete line at the end, and its offset.
    rest: Vec<u8>,
    rest_at: u64,
    /// Whether `rest` begins a line.
    at_line_start: bool,
    /// The pieces of the page: start, end, and text of each.
    pieces: VecDeque<(u64, u64, String)>,
    bytes: usize,
    /// Whether earlier pieces were dropped to keep within [`PAGE`].
    is_cut: bool,
    has_more: bool,
}

impl LogReader {
    /// A reader that keeps the page at `place`.
    #[must_use]
    pub fn new(place: LogPosition) -> Self {
        let (rest, pieces) = (Vec::new(), VecDeque::new());
        let at_line_start = true;
        Self {
            place,
            read: 0,
            rest,
            rest_at: 0,
            at_line_start,
            pieces,
            bytes: 0,
            is_cut: false,
            has_more: false,
        }
    }

    /// Reads the next bytes. Returns [`Flow::Stop`] once the page is complete.
    pub fn take(&mut self, chunk: &[u8]) -> Flow {
        let chunk_at = self.read;
        self.read += chunk.len() as u64;
        let mut chunk = chunk;
        if let LogPosition::From(from) = self.place
            && chunk_at < from
        {
            let skipped = usize::try_from(from - chunk_at).unwrap_or(usize::MAX).min(chunk.len());
            let (before, after) = chunk.split_at(skipped);
            self.at_line_start = before.last().is_none_or(|byte| *byte == b'\n');
            self.rest_at = chunk_at + skipped as u64;
            chunk = after;
        }
        if let LogPosition::Until(until) = self.place
            && self.read > until
        {
            let over = usize::try_from(self.read - until).unwrap_or(usize::MAX).min(chunk.len());
            chunk = chunk.get(..chunk.len() - over).unwrap_or_default();
            self.has_more = true;
        }
        while !chunk.is_empty() {
            let room = PIECE - self.rest.len();
            let part = chunk.get(..room.min(chunk.len())).unwrap_or(chunk);
            let line = part.iter().position(|byte| *byte == b'\n');
            let (now, later) = chunk.split_at(line.map_or(part.len(), |end| end + 1));
            self.rest.extend_from_slice(now);
            chunk = later;
            let flow = match line {
                Some(_) => self.piece(self.rest.len()),
                None if self.rest.len() >= PIECE => self.piece(split_point(&self.rest)),
                None => Flow::Continue,
            };
            if flow == Flow::Stop {
                return Flow::Stop;
            }
        }
        if self.has_more { Flow::Stop } else { Flow::Continue }
    }

    /// Moves the first `length` bytes of the incomplete line into the page.
    fn piece(&mut self, length: usize) -> Flow {
        let later = self.rest.split_off(length);
        let raw = std::mem::replace(&mut self.rest, later);
        let (from, until) = (self.rest_at, self.rest_at + length as u64);
        let begins_line = self.at_line_start;
        self.rest_at = until;
        self.at_line_start = raw.last() == Some(&b'\n');
        if begins_line && is_structured_line(&raw) {
            return Flow::Continue;
        }
        // An offset from a client may lie inside a character.
        let torn = if from == 0 {
            0
        } else {
            raw.iter().take(3).take_while(|byte| is_continuation_byte(**byte)).count()
        };
        let mut cleaned = text::plain(&String::from_utf8_lossy(raw.get(torn..).unwrap_or_default()));
        if raw.last() == Some(&b'\r') && !self.rest.is_empty() {
            // The text after the carriage return redraws the line.
            cleaned.push('\n');
        }
        let forward = matches!(self.place, LogPosition::From(_));
        if forward && !self.pieces.is_empty() && self.bytes + cleaned.len() > PAGE {
            self.has_more = true;
            self.rest.clear();
            return Flow::Stop;
        }
        self.bytes += cleaned.len();
        self.pieces.push_back((from, until, cleaned));
        while self.bytes > PAGE && self.pieces.len() > 1 {
            let Some((_, _, dropped)) = self.pieces.pop_front() else { break };
            self.bytes -= dropped.len();
            self.is_cut = true;
        }
        Flow::Continue
    }

    /// The page, after the end of the log or after [`Flow::Stop`].
    #[must_use]
    pub fn finish(mut self) -> LogPage {
        if !self.rest.is_empty() {
            self.piece(self.rest.len());
        }
        let from = match (self.place, self.pieces.front()) {
            (LogPosition::From(from), _) => from.min(self.read),
            (_, Some((from, ..))) if self.is_cut => *from,
            _ => 0,
        };
        LogPage {
            from,
            // Lines without text at the end belong to the page, too.
            until: if self.has_more {
                self.pieces.back().map_or(from, |(_, until, _)| *until)
            } else {
                self.rest_at
            },
            has_more: self.has_more,
            text: self.pieces.into_iter().map(|(_, _, text)| text).collect(),
        }
    }
}

/// Where to split a long line: after a carriage return, which ends a line too, otherwise before a control sequence or
/// a character that may be incomplete.
fn split_point(bytes: &[u8]) -> usize {
    let half = bytes.len() / 2;
    // Not after the last byte: a line feed may follow it.
    let redrawn = bytes.iter().take(bytes.len() - 1).rposition(|byte| *byte == b'\r').map(|at| at + 1);
    if let Some(at) = redrawn.filter(|at| (half..bytes.len()).contains(at)) {
        return at;
    }
    let sequence = bytes.iter().rposition(|byte| *byte == 0x1b);
    if let Some(at) = sequence.filter(|at| *at >= half && bytes.len() - at <= SEQUENCE) {
        return at;
    }
    // The last character may be incomplete: split before its first byte, the last one that is not a continuation byte.
    let inner = bytes.iter().rev().take(3).take_while(|byte| is_continuation_byte(**byte)).count();
    let lead = bytes.len() - inner - 1;
    match bytes.get(lead) {
        Some(byte) if *byte >= 0xc0 => lead,
        _ => bytes.len(),
    }
}

/// Whether a byte continues a character of UTF-8.
fn is_continuation_byte(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Whether Nix reads the line as a structured message; a line with malformed JSON it shows as text.
fn is_structured_line(line: &[u8]) -> bool {
    line.strip_prefix(STRUCTURED_PREFIX).is_some_and(|said| {
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(said).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(log: &[u8], place: LogPosition, chunk: usize) -> LogPage {
        let mut reader = LogReader::new(place);
        for chunk in log.chunks(chunk) {
            if reader.take(chunk) == Flow::Stop {
                break;
            }
        }
        reader.finish()
    }

    /// All pages, forwards.
    fn forwards(log: &[u8], chunk: usize) -> Vec<LogPage> {
        let mut pages = vec![page(log, LogPosition::From(0), chunk)];
        while pages.last().unwrap().has_more {
            let next = page(log, LogPosition::From(pages.last().unwrap().until), chunk);
            assert!(next.until > pages.last().unwrap().until, "a page without an end");
            pages.push(next);
        }
        pages
    }

    fn joined(pages: &[LogPage]) -> String {
        pages.iter().map(|page| page.text.as_str()).collect()
    }

    #[test]
    fn pages_follow_each_other_both_ways() {
        let log: String = (0..9_000).map(|line| format!("line {line}: ünï\n")).collect();
        let pages = forwards(log.as_bytes(), 4_096);
        assert!(
            pages.len() > 3 && pages.iter().all(|page| page.text.len() <= PAGE && page.text.ends_with('\n'))
        );
        assert_eq!(joined(&pages), log);
        let mut back = vec![page(log.as_bytes(), LogPosition::End, 4_096)];
        assert!(!back[0].has_more && back[0].text.ends_with("line 8999: ünï\n"));
        while back.last().unwrap().from > 0 {
            back.push(page(log.as_bytes(), LogPosition::Until(back.last().unwrap().from), 4_096));
            assert!(back.last().unwrap().has_more);
        }
        back.reverse();
        assert_eq!(joined(&back), log);
    }

    #[test]
    fn what_is_said_to_nix_and_to_terminals_is_left_out() {
        let log = "@nix { \"action\": \"setPhase\", \"phase\": \"buildPhase\" }\n\u{1b}[31mred\u{1b}[0m\n\
                   @nix is a word\n and @nix {}\n";
        assert_eq!(page(log.as_bytes(), LogPosition::From(0), 7).text, "red\n@nix is a word\n and @nix {}\n");
    }

    #[test]
    fn a_line_without_an_end_is_divided_between_characters_and_sequences() {
        let colour = "\u{1b}[38;5;196m";
        for shift in 0..40 {
            let log = format!("{}{}", "x".repeat(shift), format!("äöü€{colour}").repeat(8_000));
            let pages = forwards(log.as_bytes(), 1_000);
            assert!(pages.len() > 1);
            assert_eq!(joined(&pages), log.replace(colour, ""), "{shift}");
        }
        let redrawn = "10%\r".repeat(30_000);
        assert_eq!(
            joined(&forwards(redrawn.as_bytes(), 1_000)).lines().filter(|line| *line != "10%").count(),
            0
        );
    }

    #[test]
    fn a_place_in_the_middle_of_a_character_is_no_harm() {
        assert_eq!(page("€uro\nmore\n".as_bytes(), LogPosition::From(1), 100).text, "uro\nmore\n");
        let behind = page(b"short\n", LogPosition::From(1_000), 100);
        assert_eq!((behind.text.as_str(), behind.from, behind.has_more), ("", 6, false));
    }

    proptest! {
        #[test]
        fn any_log_is_told_whole_in_bounded_pages(
            parts in proptest::collection::vec(("[a-zäß€ \t]{0,40}", 1_usize..400, any::<bool>()), 0..80),
            chunk in 1_usize..9_000,
        ) {
            let line = |(text, times, ends): &(String, usize, bool)| {
                format!("{}{}", text.repeat(*times), if *ends { "\n" } else { "" })
            };
            let log: String = parts.iter().map(line).collect();
            let pages = forwards(log.as_bytes(), chunk);
            prop_assert!(pages.iter().all(|page| page.text.len() <= PAGE));
            prop_assert_eq!(joined(&pages), log);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20_000), from in 0_u64..25_000) {
            for place in [LogPosition::From(from), LogPosition::Until(from), LogPosition::End] {
                prop_assert!(page(&bytes, place, 777).text.len() <= PAGE);
            }
        }
    }
}
