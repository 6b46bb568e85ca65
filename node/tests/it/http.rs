//! The HTTP API over real connections.

#[path = "../http_support/connections.rs"]
mod connections;
#[path = "../http_support/handshakes.rs"]
mod handshakes;
#[path = "../http_support/health.rs"]
mod health;
#[path = "../http_support/rounds.rs"]
mod rounds;
#[path = "../http_support/tls.rs"]
mod tls;

use crate::http_support::held::{Held, Speaks};
use crate::http_support::{World, options, options_of, params, refusal, run, run_both};
use rand_core::OsRng;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::{Kind, StatusReport, read_frames};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::http::{HttpOptions, HttpServer, Rate, Services};
use veilgrid_roles::intake::envelope_bytes;
use veilgrid_roles::member::envelope_for;

#[test]
fn a_bid_gets_its_receipt_and_the_same_bytes_the_same_one_also_from_a_node_that_was_started_again() {
    run(async || {
        let mut w = World::new(options());
        let bid = w.bid(0, 5);
        let receipt = w.receipt(&bid).await;
        let kept = w.journal.0.lock().expect("journal").clone();
        assert_eq!(kept.iter().map(|one| &one.receipt).collect::<Vec<_>>(), [&receipt]);
        assert_eq!(w.receipt(&bid).await, receipt);
        w.server.stop().await;
        w.server = w.serve(options());
        assert_eq!(w.receipt(&bid).await, receipt);
        assert_eq!(w.receipt(&w.bid(1, 5)).await.sequence, receipt.sequence + 1);
        assert_eq!(w.journal.0.lock().expect("journal").len(), 2, "nothing is admitted twice");
    });
}

#[test]
fn a_receipt_comes_as_json_when_only_json_is_accepted() {
    run(async || {
        let w = World::new(options());
        let bid = w.bid(0, 5);
        let binary = w.receipt(&bid).await;
        let request = w.client.post(w.url("/v1/bids")).header("accept", "application/json");
        let response = request.body(w.envelope(&bid)).send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "application/json");
        let json: serde_json::Value =
            serde_json::from_slice(&response.bytes().await.expect("body")).expect("JSON");
        assert_eq!(json["signature"], hex::encode(binary.signature));
        assert_eq!((&json["round_id"], &json["sequence"]), (&1.into(), &binary.sequence.into()));
    });
}

#[test]
fn each_refusal_has_its_status_and_its_name() {
    run(async || {
        let mut w = World::new(options());
        let bid = w.bid(0, 5);
        w.receipt(&bid).await;
        assert_eq!(refusal(w.submit(&w.bid(0, 6)).await, 409).await, "conflict");

        let mut foreign = w.bid(1, 5);
        foreign.account = SigningKey::generate(&mut OsRng).verifying_key().to_bytes();
        assert_eq!(refusal(w.submit(&foreign).await, 403).await, "not-a-member");
        let later = veilgrid_crypto::bid::SealedBid { round_id: 9, ..w.bid(1, 5) };
        assert_eq!(refusal(w.submit(&later).await, 425).await, "too-early");

        let length = envelope_bytes(&params());
        assert_eq!(refusal(w.post("/v1/bids", vec![7; length]).await, 400).await, "bad-envelope");
        assert_eq!(refusal(w.post("/v1/bids", vec![7; length - 1]).await, 400).await, "bad-envelope");
        assert_eq!(refusal(w.post("/v1/bids", Vec::new()).await, 400).await, "bad-envelope");
        let other_key = EnvelopeKey::generate(&mut OsRng).public();
        let ledger_id = w.state.community().ledger_id();
        let elsewhere = envelope_for(&other_key, &ledger_id, &w.bid(1, 5), &mut OsRng);
        assert_eq!(refusal(w.post("/v1/bids", elsewhere).await, 400).await, "bad-envelope");
        let typed = w.client.post(w.url("/v1/bids")).header("content-type", "text/plain").body("x");
        assert_eq!(refusal(typed.send().await.expect("an answer"), 400).await, "bad-request");

        assert_eq!(refusal(w.submit(&w.false_bid(2, 1)).await, 422).await, "invalid-proof");
        assert_eq!(refusal(w.get("/v1/nothing").await, 404).await, "not-found");
        assert_eq!(refusal(w.get("/v1/rounds/seven").await, 400).await, "bad-request");
        // Its opening is beyond all time.
        let last = format!("/v1/rounds/{}", u64::MAX);
        assert_eq!(refusal(w.get(&last).await, 404).await, "not-found");
        assert_eq!(refusal(w.get("/v1/blocks?from=x").await, 400).await, "bad-request");

        let late = w.bid(3, 5);
        w.end_round();
        w.server = w.serve(options());
        assert_eq!(refusal(w.submit(&late).await, 410).await, "round-over");
    });
}

/// Threat: anybody can write a member's account on a bid.
#[test]
fn a_forged_signature_is_refused_and_leaves_the_owners_quota_alone() {
    run(async || {
        let w = World::new(options());
        let own = w.bid(0, 5);
        for forgery in 0..20u8 {
            let mut forged = own.clone();
            forged.note[0] ^= forgery + 1;
            assert_eq!(refusal(w.submit(&forged).await, 403).await, "bad-signature");
        }
        assert_eq!(w.server.metrics().refused(Kind::BadSignature), 20);
        w.receipt(&own).await;
    });
}

#[test]
fn after_three_false_proofs_the_owner_itself_is_not_looked_at_again() {
    run(async || {
        let w = World::new(options());
        for salt in 1..=3 {
            assert_eq!(refusal(w.submit(&w.false_bid(0, salt)).await, 422).await, "invalid-proof");
        }
        assert_eq!(refusal(w.submit(&w.bid(0, 5)).await, 429).await, "quota-exhausted");
        w.receipt(&w.bid(1, 5)).await;
    });
}

#[test]
fn a_flood_of_invalid_bids_leaves_valid_ones_their_receipts() {
    run(async || {
        // The flood is to reach the intake, from the honest members' own address: connections would keep it out before.
        let w = World::new(HttpOptions { max_connections_of_peer: Some(256), ..options() });
        let own = w.bid(0, 5);
        let length = envelope_bytes(&params());
        let mut flood = Vec::new();
        for number in 0..150u8 {
            let mut forged = own.clone();
            forged.salt[0] ^= number + 1;
            let body = if number % 3 == 0 { vec![number; length] } else { w.envelope(&forged) };
            flood.push(tokio::task::spawn_local(w.client.post(w.url("/v1/bids")).body(body).send()));
        }
        // Members that send false proofs under their own name.
        let cheats: Vec<_> = (1..=2).flat_map(|salt| [w.false_bid(4, salt), w.false_bid(5, salt)]).collect();
        let refused = async {
            let mut statuses = Vec::new();
            for request in flood {
                statuses.push(request.await.expect("joined").expect("an answer").status().as_u16());
            }
            statuses
        };
        let cheating = async {
            for bid in &cheats {
                assert_eq!(w.submit(bid).await.status(), 422);
            }
        };
        let honest = async {
            let began = Stopwatch::start();
            for member in 0..4 {
                let bid = if member == 0 { own.clone() } else { w.bid(member, 5) };
                w.receipt(&bid).await;
            }
            began.elapsed()
        };
        let (statuses, (), took) = tokio::join!(refused, cheating, honest);
        assert!(statuses.iter().all(|status| matches!(status, 400 | 403 | 409)), "{statuses:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    run_both(async |speaks| {
        let w = World::new(options_of(speaks));
        let address = w.address();
        for path in ["/v1/bids", "/v1/relay", "/v1/transactions"] {
            // Only the head is sent: the answer comes without the body.
            let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n");
            let answer = blocking(move || exchange(speaks, address, head.as_bytes())).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
            assert!(answer.contains("urn:veilgrid:problem:too-large"), "{answer}");
        }
        // Without a length the reading stops at the bound.
        let mut chunked = b"POST /v1/bids HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..8 {
            chunked.extend_from_slice(format!("{:x}\r\n", envelope_bytes(&params())).as_bytes());
            chunked.extend_from_slice(&vec![1; envelope_bytes(&params())]);
            chunked.extend_from_slice(b"\r\n");
        }
        let answer = blocking(move || exchange(speaks, address, &chunked)).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert_eq!(
            refusal(w.post("/v1/bids", vec![0; envelope_bytes(&params()) + 1]).await, 413).await,
            "too-large"
        );
    });
}

#[test]
fn slow_clients_block_nobody_and_are_given_up() {
    run_both(async |speaks| {
        let limits = HttpOptions {
            head_timeout: Duration::from_millis(700),
            body_timeout: Duration::from_millis(700),
            max_connections_of_peer: Some(128),
            ..options_of(speaks)
        };
        let w = World::new(limits);
        let (address, length) = (w.address(), envelope_bytes(&params()));
        let open = async |text: String| {
            let open = move |_| {
                let mut stream = Held::open(speaks, [127, 0, 0, 1], address);
                stream.write_all(text.as_bytes()).expect("written");
                stream
            };
            blocking(move || (0..40).map(open).collect::<Vec<_>>()).await
        };
        // Half of a head; a head and half of a body.
        let heads = open("POST /v1/bids HTTP/1.1\r\nhost:".into()).await;
        let body = format!("POST /v1/bids HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nxx");
        let bodies = open(body).await;
        let began = Stopwatch::start();
        w.receipt(&w.bid(0, 5)).await;
        assert!(began.elapsed() < Duration::from_secs(10));
        let answers = blocking(move || heads.into_iter().chain(bodies).map(rest).collect::<Vec<_>>()).await;
        assert!(answers[..40].iter().all(|answer| answer.is_empty() || answer.starts_with("HTTP/1.1 408")));
        for answer in &answers[40..] {
            assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too-slow"), "{answer}");
        }
    });
}

#[test]
fn an_address_has_its_share_of_requests() {
    run(async || {
        let rate = Rate { per_minute: 60, burst: 3 };
        let w = World::new(HttpOptions { rate: Some(rate), ..options() });
        for _ in 0..3 {
            assert_eq!(w.get("/v1/healthz").await.status(), 200);
        }
        let response = w.get("/v1/healthz").await;
        let wait = response.headers()["retry-after"].to_str().expect("digits").to_owned();
        assert_eq!(wait, "1");
        assert_eq!(refusal(response, 429).await, "rate-limited");
        // Nobody can write another address on a request.
        let forwarded = w.client.get(w.url("/v1/healthz")).header("x-forwarded-for", "192.0.2.1");
        assert_eq!(refusal(forwarded.send().await.expect("an answer"), 429).await, "rate-limited");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(w.get("/v1/healthz").await.status(), 200);
    });
}

#[test]
fn a_relayed_batch_is_the_aggregators_and_each_bid_is_checked_like_any_other() {
    run(async || {
        let w = World::new(options());
        let (good, late) = (w.bid(0, 5), w.bid(1, 5));
        let mut forged = late.clone();
        forged.note[0] ^= 1;
        let bids = vec![good.clone(), forged, late.clone(), w.false_bid(2, 1)];
        let ledger_id = w.state.community().ledger_id();
        let batch =
            |key: &SigningKey| RelayedBids::sign(key, ledger_id, 1, bids.clone(), &mut OsRng).to_bytes();
        let stranger = SigningKey::generate(&mut OsRng);
        assert_eq!(refusal(w.post("/v1/relay", batch(&stranger)).await, 403).await, "bad-signature");
        assert!(w.journal.0.lock().expect("journal").is_empty());
        assert_eq!(refusal(w.post("/v1/relay", vec![1; 200]).await, 400).await, "bad-request");

        let response = w.post("/v1/relay", batch(&w.receipt_key)).await;
        assert_eq!(response.status(), 200);
        let answer: serde_json::Value =
            serde_json::from_slice(&response.bytes().await.expect("body")).expect("JSON");
        let refusals: Vec<_> = (0..4).map(|bid| answer["bids"][bid]["refusal"].as_str()).collect();
        assert_eq!(refusals, [None, Some("bad-signature"), None, Some("invalid-proof")]);
        let kept: Vec<_> = w.journal.0.lock().expect("journal").iter().map(|one| one.bid.digest()).collect();
        assert!(kept.len() == 2 && kept.contains(&good.digest()) && kept.contains(&late.digest()));
        let receipt = hex::decode(answer["bids"][0]["receipt"].as_str().expect("a receipt")).expect("hex");
        let receipt = Receipt::from_bytes(&receipt).expect("a receipt");
        assert_eq!(w.receipt(&good).await, receipt, "the member gets the same one");
    });
}

/// Threat: four addresses with slow bodies hold all places for large ones.
#[test]
fn strangers_with_slow_bodies_do_not_keep_the_aggregators_batches_out() {
    run_both(async |speaks| {
        let w = World::new(options_of(speaks));
        let address = w.address();
        let ledger_id = w.state.community().ledger_id();
        let batch = |member| {
            let bids = vec![w.bid(member, 5)];
            RelayedBids::sign(&w.receipt_key, ledger_id, 1, bids, &mut OsRng).to_bytes()
        };
        assert_eq!(w.post("/v1/relay", batch(0)).await.status(), 200);
        let mut held = Vec::new();
        for last in 2..=5u8 {
            for _ in 0..8 {
                let slow = move || {
                    let mut stream = Held::open(speaks, [127, 0, 0, last], address);
                    let head = b"POST /v1/transactions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n";
                    stream.write_all(head).expect("written");
                    stream
                };
                held.push(blocking(slow).await);
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let transaction = Transaction::KeyEvent { session: 3, event: vec![1] }.to_bytes();
        assert_eq!(refusal(w.post("/v1/transactions", transaction).await, 503).await, "overloaded");
        assert_eq!(w.post("/v1/relay", batch(1)).await.status(), 200);
        drop(held);
    });
}

#[test]
fn only_transactions_of_validators_and_keys_come_over_http() {
    run(async || {
        let w = World::new(options());
        let event = Transaction::KeyEvent { session: 3, event: vec![1, 2, 3] };
        assert_eq!(w.post("/v1/transactions", event.to_bytes()).await.status(), 202);
        assert_eq!(*w.pool.0.lock().expect("pool"), [event]);
        let close = Transaction::CloseRound { round_id: 1 };
        let response = w.post("/v1/transactions", close.to_bytes()).await;
        assert_eq!(refusal(response, 422).await, "refused-transaction");
        assert_eq!(refusal(w.post("/v1/transactions", vec![99; 40]).await, 400).await, "bad-request");
        assert_eq!(w.pool.0.lock().expect("pool").len(), 1);
    });
}

#[test]
fn blocks_come_in_frames_at_once_or_when_they_are_there() {
    run(async || {
        let mut w = World::new(options());
        let expected = w.blocks.0.lock().expect("blocks").clone();
        let frames = async |w: &World, query: &str| {
            let response = w.get(&format!("/v1/blocks?{query}")).await;
            assert_eq!(response.status(), 200);
            read_frames(&response.bytes().await.expect("body"), 9).expect("frames")
        };
        let next = w.state.height() + 1;
        let read = frames(&w, "from=0&max=50").await;
        assert_eq!(read.iter().map(|one| one.block.clone()).collect::<Vec<_>>(), expected);
        assert!((0..).zip(&read).all(|(height, one)| one.certificate.is_some() == (height % 2 == 1)));
        assert_eq!(frames(&w, "from=0&max=1").await.len(), 1);
        assert_eq!(frames(&w, &format!("from={next}&max=5")).await.len(), 0);
        assert_eq!(w.get("/v1/genesis").await.bytes().await.expect("body").as_ref(), expected[0]);

        let url = w.url(&format!("/v1/blocks?from={next}&wait_ms=20000"));
        let waiting = tokio::task::spawn_local(w.client.get(url).send());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished(), "there is no such block yet");
        w.push(Vec::new());
        let response = waiting.await.expect("joined").expect("an answer");
        assert_eq!(read_frames(&response.bytes().await.expect("body"), 9).expect("frames").len(), 1);
        let began = Stopwatch::start();
        assert!(frames(&w, &format!("from={}&wait_ms=300", next + 1)).await.is_empty());
        assert!(began.elapsed() >= Duration::from_millis(300));
    });
}

#[test]
fn status_rounds_health_and_metrics() {
    run(async || {
        let mut w = World::new(options());
        let json = async |w: &World, path: &str| -> serde_json::Value {
            let response = w.get(path).await;
            assert_eq!(response.status(), 200, "{path}");
            serde_json::from_slice(&response.bytes().await.expect("body")).expect("JSON")
        };
        let status = json(&w, "/v1/status").await;
        assert_eq!((&status["height"], &status["role"]), (&w.state.height().into(), &"validator".into()));
        assert_eq!(status["state_root"], hex::encode(w.state.root()));
        assert_eq!(status["keys_ready"], true);
        let round = json(&w, "/v1/rounds/1").await;
        assert_eq!((&round["stage"], &round["bids"]), (&"bidding".into(), &0.into()));
        w.receipt(&w.bid(0, 5)).await;
        assert_eq!(w.submit(&w.bid(0, 6)).await.status(), 409);
        w.end_round();
        let round = json(&w, "/v1/rounds/1").await;
        assert_eq!((&round["stage"], &round["void_reason"]), (&"void".into(), &"TooFewBids".into()));

        let text = w.get("/v1/metrics").await.text().await.expect("text");
        for line in [
            &format!("veilgrid_height {}", w.state.height()),
            "veilgrid_pool_bids 7",
            "veilgrid_receipts_total 1",
            "veilgrid_refusals_total{reason=\"conflict\"} 1",
            "veilgrid_refusals_total{reason=\"rate-limited\"} 0",
            "veilgrid_receipt_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.contains("veilgrid_receipt_p99_ms "));
    });
}

#[test]
fn a_validator_in_trouble_says_so_in_status_health_and_metrics() {
    run(async || {
        let mut w = World::new(options());
        let trouble = "this validator has voted for none of the last 12 blocks";
        let report = StatusReport {
            role: "validator".into(),
            trouble: Some(trouble.to_owned()),
            certified_height: Some(7),
            last_vote_age_s: Some(45),
            clock_off_ms: Some(-2_500),
            votes_for_nothing: true,
            unknown_votes: 2,
            ..StatusReport::default()
        };
        let status = Arc::new(move || report.clone());
        let services = Services { status, ..w.services_without_intake() };
        w.server = HttpServer::start(options(), services).expect("server");
        let health = w.get("/v1/healthz").await;
        assert_eq!(health.status(), 503);
        assert!(health.text().await.expect("text").contains(trouble));
        let status = w.get("/v1/status").await.text().await.expect("text");
        assert!(status.contains(trouble) && status.contains("\"votes_for_nothing\":true"), "{status}");
        let text = w.get("/v1/metrics").await.text().await.expect("text");
        for line in [
            "veilgrid_healthy 0",
            "veilgrid_votes_for_nothing 1",
            "veilgrid_unknown_votes 2",
            "veilgrid_last_vote_age_seconds 45",
            "veilgrid_certified_height 7",
            "veilgrid_clock_off_ms 2500",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    });
}

#[test]
fn a_server_that_ends_answers_what_is_under_way_and_takes_nothing_more() {
    run(async || {
        let w = World::new(options());
        let bid = w.bid(0, 5);
        let request = w.client.post(w.url("/v1/bids")).body(w.envelope(&bid));
        let under_way = tokio::task::spawn_local(request.send());
        tokio::time::sleep(Duration::from_millis(50)).await;
        w.server.stop().await;
        let response = under_way.await.expect("joined").expect("an answer");
        assert_eq!(response.status(), 200);
        assert!(w.client.get(w.url("/v1/healthz")).send().await.is_err());
    });
}

#[test]
fn what_a_node_does_not_do_is_not_found() {
    run(async || {
        let w = World::new(options());
        let aggregator = HttpServer::start(options(), w.services_without_intake()).expect("server");
        for path in ["bids", "relay", "transactions"] {
            let url = format!("http://{}/v1/{path}", aggregator.addresses()[0]);
            assert_eq!(refusal(w.client.post(url).send().await.expect("an answer"), 404).await, "not-found");
        }
    });
}

/// Sends everything that the other side takes and returns what comes back.
fn exchange(speaks: Speaks, address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = Held::open(speaks, [127, 0, 0, 1], address);
    // The server may answer and close before it has taken everything.
    let _ = stream.write_all(bytes);
    rest(stream)
}

/// What still comes on a connection, until it ends, the first answer is whole or nothing comes for a while.
fn rest(mut stream: Held) -> String {
    stream.wait_at_most(Duration::from_secs(5));
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..count]);
        if count == 0 || answer.ends_with(b"}") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("done")
}
