//! Connections to a listener with TLS that are in their handshake, or never begin it.

use super::connections::asked;
use super::{blocking, exchange};
use crate::http_support::held::{Held, Speaks, silent};
use crate::http_support::{World, options, run, tls_options};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use veilgrid_node::http::{HandshakeEnd, HttpOptions, HttpServer};

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(3_600);
const AGGREGATOR: [u8; 4] = [127, 0, 0, 9];
const MEMBER: [u8; 4] = [127, 0, 0, 6];

/// A listener that gives up no handshake.
fn patient(w: &World, few: Option<usize>) -> HttpServer {
    let usual = tls_options();
    w.serve(HttpOptions {
        workers: 1,
        max_connections: few.unwrap_or(usual.max_connections),
        max_connections_of_peer: few.map(|all| all / 2).or(usual.max_connections_of_peer),
        aggregator_addresses: vec![AGGREGATOR.into()],
        handshake_timeout: FOREVER,
        head_timeout: FOREVER,
        ..usual
    })
}

fn silent_strangers(last: impl IntoIterator<Item = u8>, each: usize, to: SocketAddr) -> Vec<TcpStream> {
    last.into_iter().flat_map(|last| (0..each).map(move |_| silent([127, 0, 0, last], to))).collect()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    panic!("{what}");
}

/// Threat: strangers who connect and say nothing hold up everybody's handshakes.
#[test]
fn silent_connections_of_strangers_hold_up_no_handshake() {
    run(async || {
        let w = World::new(options());
        let server = patient(&w, None);
        let (address, metrics) = (server.addresses()[0], server.metrics());
        // More than a thread of the framework would shake hands with at once, were the counting after the handshake.
        let held = silent_strangers(2..=5, 80, address);
        assert_eq!(asked(Speaks::Tls, MEMBER, address).await, Some(200), "a member");
        assert_eq!(asked(Speaks::Tls, AGGREGATOR, address).await, Some(200), "the aggregator");
        until("an address has its share in handshake", || metrics.handshakes() == 4 * 32).await;
        assert_eq!(metrics.connections_refused(), 4 * 48, "the rest is closed and counted");
        drop(held);
        until("the places come back", || metrics.connections() == 0).await;
        assert_eq!(metrics.handshakes(), 0);
    });
}

/// Threat: strangers fill all places with connections that say nothing.
#[test]
fn a_silent_connection_gives_way_when_all_places_are_taken() {
    run(async || {
        let w = World::new(options());
        let server = patient(&w, Some(8));
        let (address, metrics) = (server.addresses()[0], server.metrics());
        let silent = silent_strangers([2, 3], 4, address);
        until("all places are taken", || metrics.handshakes() == 8).await;
        assert_eq!(asked(Speaks::Tls, AGGREGATOR, address).await, Some(200), "it has places of its own");
        assert_eq!(metrics.handshakes_failed(HandshakeEnd::Displaced), 0);
        assert_eq!(asked(Speaks::Tls, [127, 0, 0, 2], address).await, None, "it has its share");
        assert_eq!(asked(Speaks::Tls, MEMBER, address).await, Some(200), "a member");
        assert_eq!(metrics.handshakes_failed(HandshakeEnd::Displaced), 1);
        drop(silent);
        until("the places come back", || metrics.connections() == 0).await;

        // Whoever has shaken hands stays.
        let mut held = Vec::new();
        for last in [2, 3].into_iter().cycle().take(8) {
            held.push(blocking(move || Held::open(Speaks::Tls, [127, 0, 0, last], address)).await);
        }
        until("all places are taken", || (metrics.connections(), metrics.handshakes()) == (8, 0)).await;
        assert_eq!(asked(Speaks::Tls, MEMBER, address).await, None);
        assert_eq!(asked(Speaks::Tls, AGGREGATOR, address).await, Some(200));
        assert_eq!(metrics.handshakes_failed(HandshakeEnd::Displaced), 1);
        drop(held);
    });
}

#[test]
fn a_handshake_that_fails_is_counted_and_its_place_comes_back() {
    run(async || {
        let w = World::new(options());
        let server = w.serve(HttpOptions { handshake_timeout: Duration::from_millis(300), ..tls_options() });
        let (address, metrics) = (server.addresses()[0], server.metrics());
        let _silent = silent_strangers([2], 5, address);
        until("too slow", || metrics.handshakes_failed(HandshakeEnd::Timeout) == 5).await;
        let plain = b"GET /v1/healthz HTTP/1.1\r\nhost: a\r\n\r\n";
        let answer = blocking(move || exchange(Speaks::Plain, address, plain)).await;
        assert!(!answer.starts_with("HTTP"), "{answer}");
        until("no TLS", || metrics.handshakes_failed(HandshakeEnd::Broken) == 1).await;
        until("the places come back", || metrics.connections() == 0).await;

        let client = crate::http_support::trusting().build().expect("a client");
        let page = client.get(format!("https://{address}/v1/metrics")).send().await.expect("an answer");
        let text = page.text().await.expect("text");
        for line in [
            "veilgrid_connections 1",
            "veilgrid_tls_handshakes 0",
            "veilgrid_tls_handshakes_failed_total{reason=\"timeout\"} 5",
            "veilgrid_tls_handshakes_failed_total{reason=\"broken\"} 1",
            "veilgrid_tls_handshakes_failed_total{reason=\"displaced\"} 0",
            "veilgrid_connections_refused_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    });
}

#[test]
fn a_server_that_ends_waits_for_no_handshake() {
    run(async || {
        let w = World::new(options());
        let server =
            w.serve(HttpOptions { handshake_timeout: FOREVER, shutdown_timeout_s: 3_600, ..tls_options() });
        let metrics = server.metrics();
        let _silent = silent_strangers([2], 5, server.addresses()[0]);
        until("they are taken in", || metrics.handshakes() == 5).await;
        let ended = tokio::time::timeout(Duration::from_secs(60), server.stop()).await;
        assert!(ended.is_ok(), "it waits for strangers");
    });
}
