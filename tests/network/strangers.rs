//! What strangers send, and ports that somebody else has.

use crate::harness::{LOOK, Network, Plan};
use crate::http;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Bytes that are no HTTP: of TLS, of nothing, of a head without sense.
const NO_HTTP: [&[u8]; 3] = [
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"\0\0\0\0\r\n\r\n",
    b"GET / HTTP/1.1\r\nbad header\x01: \x02\r\n\r\n",
];

/// A number of the first validator's.
fn metric(network: &Network, name: &str) -> Option<u64> {
    let (_, body) = http::get(network.health_port("validator-1"), "/v1/metrics")?;
    let text = String::from_utf8_lossy(&body).into_owned();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// ERROR is what wakes somebody: anybody can send bytes.
#[test]
fn strangers_write_no_error_lines_and_are_counted() {
    let mut network = Network::found("strangers", Plan::default());
    network.start("validator-1");
    let port = network.http_port("validator-1");
    let malformed = |network: &Network| metric(network, "veilgrid_malformed_requests_total");
    network.wait_for("an answer", 120, |network| malformed(network));
    for bytes in NO_HTTP {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
        stream.write_all(bytes).expect("written");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 400");
    }
    network.wait_for("all are counted", 120, |network| (malformed(network)? >= 3).then_some(()));
    let log = network.log("validator-1");
    assert!(!log.contains("ERROR"), "{log}");
    network.finish();
}

/// The same of a listener with TLS: bytes that are none, and none at all.
#[test]
fn failed_handshakes_write_no_error_lines_and_are_counted() {
    let mut network = Network::found("handshakes", Plan::default());
    let file = |key: &str, name: &str| -> OsString {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/node/tests/data");
        format!("VEILGRID_VALIDATOR__HTTP__TLS_{key}={data}/{name}").into()
    };
    let certificate = file("CERTIFICATE", "test-only-certificate.pem");
    network.start_under("validator-1", &["env".into(), certificate, file("KEY", "test-only-key.pem")]);
    let port = network.http_port("validator-1");
    network.wait_for("an answer", 120, |network| metric(network, "veilgrid_tls_handshakes "));
    let mut open = Vec::new();
    for bytes in NO_HTTP.into_iter().chain([&b""[..]]) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
        stream.write_all(bytes).expect("written");
        open.push(stream);
    }
    // The first begins like TLS and goes no further.
    for (why, least) in [("broken", 2), ("timeout", 2)] {
        let name = format!("veilgrid_tls_handshakes_failed_total{{reason=\"{why}\"}}");
        network.wait_for(&name, 120, |network| (metric(network, &name)? >= least).then_some(()));
    }
    network.wait_for("places", 120, |network| (metric(network, "veilgrid_connections ")? == 0).then_some(()));
    let log = network.log("validator-1");
    assert!(!log.contains("ERROR"), "{log}");
    network.finish();
}

/// When its certificate ends is said by both kinds of process that have one.
#[test]
fn the_end_of_a_certificate_is_known_of_validators_and_the_aggregator() {
    let mut network = Network::found("certificates", Plan::default());
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/tests/data");
    let tls = format!(
        "[http]\ntls_certificate = {:?}\ntls_key = {:?}\n",
        data.join("test-only-certificate.pem"),
        data.join("test-only-key.pem")
    );
    for (name, file) in [("validator-1", "validator.toml"), ("aggregator", "aggregator.toml")] {
        let config = network.home(name).join(file);
        let text = std::fs::read_to_string(&config).expect("a configuration");
        std::fs::write(&config, text.replacen("[http]\n", &tls, 1)).expect("written");
        network.start(name);
        let expiry = |network: &Network| {
            let (_, body) = http::get(network.health_port(name), "/v1/metrics")?;
            let text = String::from_utf8_lossy(&body).into_owned();
            let metric = "veilgrid_certificate_expiry_timestamp_seconds ";
            text.lines().find_map(|line| line.strip_prefix(metric)?.parse::<u64>().ok())
        };
        let expiry_unix_s = network.wait_for("the end of the certificate", 120, |network| expiry(network));
        assert!(expiry_unix_s > 4_000_000_000, "it is of the next century: {expiry_unix_s}");
    }
    network.finish();
}

/// The sentence about the port, and no panic before it; at the processes of all kinds, for each of their ports.
#[test]
fn a_port_that_is_taken_is_said_in_a_sentence() {
    let mut network = Network::found("taken", Plan { participants: 2, ..Plan::default() });
    let config = network.home("participant-001").join("participant.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let health = network.health_port("participant-001");
    std::fs::write(&config, format!("health_listen = \"127.0.0.1:{health}\"\n{text}")).expect("written");
    let consensus = network.http_port("validator-1") + 4;
    for (name, port, key) in [
        ("aggregator", network.http_port("aggregator"), "http.listen"),
        ("aggregator", network.health_port("aggregator"), "health_listen"),
        ("validator-1", network.http_port("validator-1"), "http.listen"),
        ("validator-1", network.health_port("validator-1"), "health_listen"),
        ("validator-1", consensus, "p2p.listen"),
        ("participant-001", health, "health_listen"),
    ] {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("free");
        network.start(name);
        let status = network.ended(name, 120);
        let log = network.log(name);
        assert_eq!(status.code(), Some(2), "it may be free the next time: {log}");
        assert!(!log.contains("panicked"), "{log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains(&format!("127.0.0.1:{port}")) && last.contains(key), "{name} {key}: {last}");
        network.forget_log(name);
        drop(taken);
        std::thread::sleep(LOOK);
    }
    network.finish();
}
