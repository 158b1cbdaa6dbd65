//! Reading a program's output in bounded memory.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Flow, LINE_LIMIT};

/// Most bytes read at once.
const CHUNK: usize = 16 * 1024;

/// Calls `on_chunk` with each chunk as it arrives, until the pipe closes or `on_chunk` returns [`Flow::Stop`].
pub(super) async fn read_chunks(
    pipe: &mut (impl AsyncRead + Unpin),
    mut on_chunk: impl FnMut(&[u8]) -> Flow,
) -> io::Result<Flow> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 || on_chunk(chunk.get(..count).unwrap_or_default()) == Flow::Stop {
            return Ok(if count == 0 { Flow::Continue } else { Flow::Stop });
        }
    }
}

/// Calls `on_line` with each line, without its newline, until the pipe closes or `on_line` returns [`Flow::Stop`]. The last
/// line need not end with a newline.
pub(super) async fn read_lines(
    pipe: &mut (impl AsyncRead + Unpin),
    mut on_line: impl FnMut(&[u8]) -> Flow,
) -> io::Result<Flow> {
    let mut chunk = vec![0; CHUNK];
    let mut line = Vec::new();
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(if line.is_empty() { Flow::Continue } else { on_line(&line) });
        }
        let mut rest = chunk.get(..count).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            append(&mut line, rest.get(..end).unwrap_or_default());
            if on_line(&line) == Flow::Stop {
                return Ok(Flow::Stop);
            }
            line.clear();
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        append(&mut line, rest);
    }
}

fn append(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_LIMIT.saturating_sub(line.len());
    line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
}
