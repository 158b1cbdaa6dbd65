//! Clients that occupy as much of the HTTP server as they can without completing a request.

use std::time::{Duration, Instant};

use crate::common::http::{Connection, Request, Server};
use serde_json::json;

/// The longest time for an answer that nothing delays, on a busy machine.
const SOON: Duration = Duration::from_secs(3);

fn half_a_head(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.write(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthoriz");
    connection
}

fn is_served_soon(server: &Server) {
    for request in [Request::get("/healthz").bare(), Request::modern("tools/list", json!({}))] {
        let begun = Instant::now();
        assert_eq!(server.ask(&request).head.status, 200);
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

#[test]
fn half_sent_heads_shut_nobody_out() {
    // Few places, and the default number of places.
    for settings in ["[http]\nconcurrent_requests = 1\n", ""] {
        let server = Server::with(settings);
        let (_, mut kept) = server.send(&Request::get("/sse"));
        assert_eq!(kept.event().unwrap().0, "endpoint");
        let mut half: Vec<Connection> = (0..300).map(|_| half_a_head(&server)).collect();
        is_served_soon(&server);
        // The oldest half-sent connections were closed to make room. The stream that is being served was not.
        assert!(half[0].closes_within(SOON) && half[1].closes_within(SOON));
        assert!(!kept.ends_within(Duration::from_millis(1)));
        // More half-sent connections change nothing.
        for _ in 0..3 {
            half.extend((0..100).map(|_| half_a_head(&server)));
            is_served_soon(&server);
        }
        assert!(!kept.ends_within(Duration::from_millis(1)));
    }
}

#[test]
fn connections_that_wait_for_their_next_request_shut_nobody_out() {
    let server = Server::with("[http]\nconcurrent_requests = 1\n");
    let idle: Vec<Connection> = (0..100)
        .map(|_| {
            let begun = Instant::now();
            let (head, mut connection) = server.send(&Request::get("/healthz"));
            assert_eq!(head.status, 200);
            connection.rest();
            assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
            connection
        })
        .collect();
    is_served_soon(&server);
    drop(idle);
}

#[test]
fn health_is_told_while_every_place_is_taken() {
    let server = Server::with("[http]\nconcurrent_requests = 1\n");
    let mut served: Vec<Connection> = Vec::new();
    let refused = loop {
        let (head, mut connection) = server.send(&Request::get("/sse"));
        if head.status != 200 {
            break head.status;
        }
        assert_eq!(connection.event().unwrap().0, "endpoint");
        served.push(connection);
        assert!(served.len() < 1_000, "streams are not bounded");
    };
    assert!(matches!(refused, 429 | 503), "{refused}");
    for _ in 0..20 {
        assert_eq!(server.ask(&Request::get("/healthz").bare()).head.status, 200);
    }
    assert!(!served[0].ends_within(Duration::from_millis(1)));
}

#[test]
fn a_head_that_comes_byte_by_byte_is_given_up() {
    let server = Server::with("");
    let mut connection = server.connect();
    let mut writer = connection.writer();
    // Lasts longer than the deadline, but is never silent for long.
    let dripping = std::thread::spawn(move || {
        for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: "
            .iter()
            .chain(std::iter::repeat_n(&b'x', 400))
        {
            if std::io::Write::write_all(&mut writer, &[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(connection.closes_within(Duration::from_secs(8)), "five seconds from its first byte");
    dripping.join().unwrap();
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::with("");
    let mut connection = server.connect();
    for _ in 0..20 {
        connection.write(&Request::modern("tools/list", json!({})).bytes(server.address));
        assert_eq!(connection.head().status, 200);
        assert!(!connection.rest().is_empty());
    }
    // Sent at once, answered one after the other.
    let health = Request::get("/healthz").bytes(server.address);
    connection.write(&health.repeat(5));
    for _ in 0..5 {
        assert_eq!(connection.head().status, 200);
        connection.rest();
    }
}
