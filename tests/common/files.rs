//! A web server for the files of a folder, which can be down and up again at one address.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The server; it ends with the test program.
pub struct Files {
    address: SocketAddr,
    up: Arc<AtomicBool>,
}

impl Files {
    /// Serves `folder`, not yet: until it is up, it hangs up on everybody.
    pub fn of(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let up = Arc::new(AtomicBool::new(false));
        let is_up = Arc::clone(&up);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_up.load(Ordering::SeqCst) {
                    // Whoever asks may hang up as well.
                    drop(answer(&folder, stream));
                }
            }
        });
        Self { address, up }
    }

    /// Where a file is, seen from a client.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// From now on it answers, or hangs up.
    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
    }
}

fn answer(folder: &Path, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let (status, body) = match std::fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
