//! Connections that do nothing: one address can't hold all of them, and none is held for ever.

use super::{blocking, rest};
use crate::http_support::held::{Held, Speaks};
use crate::http_support::{World, options, run, trusting};
use rand_core::OsRng;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_node::http::HttpOptions;

/// More than sockets buffer.
const LARGE: usize = 32 << 20;

/// What is sent on a connection that is held then, and nothing is read.
const KINDS: [(&str, &str); 4] = [
    ("silent", ""),
    ("a long poll", "GET /v1/blocks?from=99&wait_ms=30000 HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("a byte of a further head", "GET /v1/healthz HTTP/1.1\r\nhost: a\r\n\r\nG"),
    ("reads no answer", "GET /v1/blocks?from=1&max=1 HTTP/1.1\r\nhost: a\r\n\r\n"),
];

/// A world whose block 1 is large.
fn world() -> World {
    let w = World::new(options());
    w.blocks.0.lock().expect("blocks")[1] = vec![7; LARGE];
    w
}

/// The server runs on the test's own thread for a part, so nothing may block it.
async fn hold(speaks: Speaks, address: SocketAddr, sent: &'static str) -> Held {
    blocking(move || {
        let mut held = Held::open(speaks, [127, 0, 0, 1], address);
        held.write_all(sent.as_bytes()).expect("written");
        held
    })
    .await
}

/// The status of a request from an address of this machine, if there is an answer.
pub async fn asked(speaks: Speaks, from: [u8; 4], of: SocketAddr) -> Option<u16> {
    let client = trusting().pool_max_idle_per_host(0).local_address(std::net::IpAddr::from(from));
    // One that is refused knows it at once.
    let client = client.timeout(Duration::from_secs(60)).build().expect("a client");
    let answer = client.get(format!("{}://{of}/v1/healthz", speaks.scheme())).send().await.ok()?;
    Some(answer.status().as_u16())
}

#[test]
fn one_address_does_not_take_all_connections() {
    run(async || {
        let w = world();
        for (speaks, (kind, sent)) in Speaks::ALL.into_iter().flat_map(|one| KINDS.map(|kind| (one, kind))) {
            let few = HttpOptions {
                max_connections: 8,
                max_connections_of_peer: Some(4),
                head_timeout: Duration::from_secs(60),
                tls: speaks.tls_files(),
                ..options()
            };
            let server = w.serve(few);
            let address = server.addresses()[0];
            let mut held = Vec::new();
            for _ in 0..4 {
                held.push(hold(speaks, address, sent).await);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _more: Vec<_> = (0..8).map(|_| TcpStream::connect(address)).collect();
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(asked(speaks, [127, 0, 0, 2], address).await, Some(200), "{kind}: another address");
            assert_eq!(asked(speaks, [127, 0, 0, 1], address).await, None, "{kind}: it has its share");
            drop(held);
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(
                asked(speaks, [127, 0, 0, 1], address).await,
                Some(200),
                "{kind}: its places came back"
            );
            assert!(server.metrics().connections_refused() >= 9, "{kind}: what is closed is counted");
            drop(server);
        }
    });
}

/// Threat: addresses that hold all connections keep the aggregator's batches out.
#[test]
fn strangers_with_all_connections_do_not_keep_the_aggregator_out() {
    run(async || {
        let w = world();
        // One member a batch: a bid is taken once.
        for (member, speaks, configured) in [
            (0, Speaks::Plain, false),
            (2, Speaks::Plain, true),
            (3, Speaks::Tls, false),
            (5, Speaks::Tls, true),
        ] {
            let server = w.serve(HttpOptions {
                max_connections: 8,
                max_connections_of_peer: Some(4),
                aggregator_addresses: if configured { vec![[127, 0, 0, 1].into()] } else { vec![] },
                head_timeout: Duration::from_secs(60),
                tls: speaks.tls_files(),
                ..options()
            });
            let address = server.addresses()[0];
            // A configured one needs no batch before.
            if !configured {
                assert_eq!(relayed(&w, speaks, address, member).await, Some(200));
            }
            // The server may see later that the first batch's connection is closed, and has a place again then. These
            // addresses may have twelve, fewer than there would be with the aggregator's places.
            let (mut held, mut answer) = (Vec::new(), Some(200));
            for last in [2, 3, 4].into_iter().cycle().take(30) {
                held.push(blocking(move || Held::open(speaks, [127, 0, 0, last], address)).await);
                if held.len() >= 8 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    answer = asked(speaks, [127, 0, 0, 5], address).await;
                }
                if answer.is_none() {
                    break;
                }
            }
            assert_eq!(answer, None, "all places are taken");
            let answer = relayed(&w, speaks, address, member + usize::from(!configured)).await;
            assert_eq!(answer, Some(200), "{speaks:?}, configured: {configured}");
            drop(held);
        }
    });
}

/// The status of a batch of the aggregator on a connection of its own, from 127.0.0.1.
async fn relayed(w: &World, speaks: Speaks, to: SocketAddr, member: usize) -> Option<u16> {
    let ledger_id = w.state.community().ledger_id();
    let batch =
        RelayedBids::sign(&w.receipt_key, ledger_id, 1, vec![w.bid(member, 5)], &mut OsRng).to_bytes();
    let client = trusting().pool_max_idle_per_host(0).build().expect("a client");
    let request = client.post(format!("{}://{to}/v1/relay", speaks.scheme())).body(batch);
    Some(request.send().await.ok()?.status().as_u16())
}

#[test]
fn a_connection_that_stands_still_is_cut_off_and_one_that_waits_for_its_answer_is_not() {
    run(async || {
        let w = world();
        for speaks in Speaks::ALL {
            let server = w.serve(HttpOptions {
                head_timeout: Duration::from_millis(600),
                keep_alive: Duration::from_millis(600),
                // Two seconds for the large block.
                least_rate: 16 << 20,
                tls: speaks.tls_files(),
                ..options()
            });
            let address = server.addresses()[0];
            // The byte comes when the answer is there and the connection counts as idle; its time-out ends with the byte.
            let mut begun = hold(speaks, address, KINDS[2].1.trim_end_matches('G')).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            begun.write_all(b"G").expect("written");
            let still = hold(speaks, address, KINDS[3].1).await;
            let poll =
                hold(speaks, address, "GET /v1/blocks?from=99&wait_ms=3000 HTTP/1.1\r\nhost: a\r\n\r\n")
                    .await;
            let reader = hold(speaks, address, KINDS[3].1).await;
            let read = tokio::task::spawn_blocking(move || received(reader));
            tokio::time::sleep(Duration::from_secs(4)).await;
            let begun = blocking(move || ended(begun)).await;
            assert!(begun.starts_with("HTTP/1.1 200"), "{begun}");
            assert!(read.await.expect("done") > LARGE, "whoever reads gets all of it");
            assert!(blocking(move || received(still)).await < LARGE, "nobody waits for it any more");
            let answer = blocking(move || rest(poll)).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    });
}

/// How many bytes come within a while.
fn received(mut stream: Held) -> usize {
    stream.wait_at_most(Duration::from_secs(1));
    let (mut bytes, mut part) = (0, vec![0; 1 << 16]);
    while let Ok(count @ 1..) = stream.read(&mut part) {
        bytes += count;
    }
    bytes
}

/// What comes on a connection that has ended.
fn ended(mut stream: Held) -> String {
    stream.wait_at_most(Duration::from_millis(100));
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let open = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!open, "the connection is held for ever");
    String::from_utf8_lossy(&answer).into_owned()
}
