//! Methods, and health and metrics on a listener of their own.

use super::{blocking, exchange};
use crate::http_support::{World, options, options_of, refusal, run, run_both};
use reqwest::Method;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use veilgrid_api::StatusReport;
use veilgrid_node::http::{HealthDoor, HealthServer, HttpError, HttpOptions, HttpServer, Services};

#[test]
fn head_and_options_are_answered_and_a_wrong_method_is_told_which_are_right() {
    run(async || {
        let w = World::new(options());
        let ask = async |method: &Method, path: &str| {
            w.client.request(method.clone(), w.url(path)).send().await.expect("an answer")
        };
        let reading = [
            "/v1/status",
            "/v1/genesis",
            "/v1/blocks?from=0&max=1",
            "/v1/rounds/1",
            "/v1/healthz",
            "/v1/metrics",
        ];
        for path in reading {
            let (get, head) = (ask(&Method::GET, path).await, ask(&Method::HEAD, path).await);
            assert_eq!(
                (get.status(), head.status()),
                (200.try_into().expect("a status"), get.status()),
                "{path}"
            );
            assert_eq!(get.headers()["content-type"], head.headers()["content-type"], "{path}");
            assert!(!get.bytes().await.expect("body").is_empty());
            assert!(head.bytes().await.expect("body").is_empty(), "{path}");
        }
        let taking = ["/v1/bids", "/v1/relay", "/v1/transactions"];
        let all = reading.map(|path| (path, "GET, HEAD, OPTIONS")).into_iter();
        for (path, allowed) in all.chain(taking.map(|path| (path, "POST, OPTIONS"))) {
            let options = ask(&Method::OPTIONS, path).await;
            assert_eq!(options.status(), 204, "{path}");
            assert_eq!(options.headers()["allow"], allowed, "{path}");
            let wrong = if allowed.starts_with("GET") { Method::POST } else { Method::GET };
            for method in [wrong, Method::DELETE, Method::PUT, Method::PATCH] {
                let answer = ask(&method, path).await;
                assert_eq!(answer.headers()["allow"], allowed, "{method} {path}");
                assert_eq!(refusal(answer, 405).await, "method-not-allowed", "{method} {path}");
            }
        }
        assert_eq!(refusal(ask(&Method::POST, "/v1/nothing").await, 404).await, "not-found");
        assert_eq!(refusal(ask(&Method::OPTIONS, "/").await, 404).await, "not-found");
    });
}

#[test]
fn what_is_no_http_is_refused_and_the_next_request_is_not() {
    run_both(async |speaks| {
        let w = World::new(options_of(speaks));
        let address = w.address();
        for bytes in
            [&b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
        {
            let answer = blocking(move || exchange(speaks, address, bytes)).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        assert_eq!(w.get("/v1/healthz").await.status(), 200);
    });
}

fn of(w: &World, report: StatusReport) -> Services {
    Services { status: Arc::new(move || report.clone()), ..w.services_without_intake() }
}

fn health(services: Services, of: &HttpServer) -> HealthServer {
    let door = HealthDoor::open(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    HealthServer::start(door, services, Some(Arc::clone(of.metrics()))).expect("started")
}

/// Threat: addresses that fill the public listener take the operator's eyes away.
#[test]
fn health_and_metrics_answer_while_strangers_hold_every_public_connection() {
    run(async || {
        let w = World::new(options());
        let few = HttpOptions { max_connections: 4, max_connections_of_peer: None, ..options() };
        let public = w.serve(few);
        let health =
            health(of(&w, StatusReport { role: "validator".into(), ..StatusReport::default() }), &public);
        let address = public.addresses()[0];
        let held: Vec<_> = (0..4).map(|_| TcpStream::connect(address).expect("connected")).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let url = |of: SocketAddr, path: &str| format!("http://{of}/v1/{path}");
        assert!(w.client.get(url(address, "healthz")).send().await.is_err(), "all places are taken");
        let own = health.addresses()[0];
        assert_eq!(w.client.get(url(own, "healthz")).send().await.expect("an answer").status(), 200);
        let metrics = w.client.get(url(own, "metrics")).send().await.expect("an answer");
        let text = metrics.text().await.expect("text");
        let refused = text.lines().find_map(|line| line.strip_prefix("veilgrid_connections_refused_total "));
        assert!(refused.is_some_and(|count| count != "0"), "of the public listener: {text}");
        // It shows what the process says about itself, and takes nothing.
        assert_eq!(
            refusal(w.client.post(url(own, "bids")).send().await.expect("an answer"), 404).await,
            "not-found"
        );
        assert_eq!(w.client.get(url(own, "status")).send().await.expect("an answer").status(), 200);
        assert!(matches!(HealthDoor::open(own), Err(HttpError::Listen { .. })), "taken");
        drop(held);
        drop(health);
        for _ in 0..600 {
            if TcpStream::connect(own).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it ends with its process's part");
    });
}

#[test]
fn warnings_and_troubles_are_shown_and_what_is_not_known_is_not() {
    run(async || {
        let w = World::new(options());
        let report = StatusReport {
            role: "validator".into(),
            holds_shares: Some(true),
            holders: Some(3),
            suspended_rounds: 2,
            last_block_age_s: Some(31),
            peers_connected: Some(2),
            disk_free_bytes: Some(1 << 40),
            clock_skew_ms: Some(-1_200),
            certificate_expires_unix_s: Some(4_948_765_464),
            warnings: vec!["one".to_owned(), "two".to_owned()],
            ..StatusReport::default()
        };
        let server = health(of(&w, report), &w.server);
        let get = async |server: &HealthServer, path: &str| {
            let url = format!("http://{}/v1/{path}", server.addresses()[0]);
            w.client.get(url).send().await.expect("an answer")
        };
        let answer = get(&server, "healthz").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("text"), "ok\nwarning: one\nwarning: two\n");
        let text = get(&server, "metrics").await.text().await.expect("text");
        for line in [
            "veilgrid_healthy 1",
            "veilgrid_warnings 2",
            "veilgrid_holds_shares 1",
            "veilgrid_holders 3",
            "veilgrid_holders_needed 3",
            "veilgrid_rounds_suspended 2",
            "veilgrid_last_block_age_seconds 31",
            "veilgrid_peers_connected 2",
            "veilgrid_disk_free_bytes 1099511627776",
            "veilgrid_clock_skew_ms -1200",
            "veilgrid_certificate_expiry_timestamp_seconds 4948765464",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let status: serde_json::Value =
            serde_json::from_str(&get(&server, "status").await.text().await.expect("text")).expect("JSON");
        assert_eq!((&status["warnings"][1], &status["holders"]), (&"two".into(), &3.into()));
        assert!(status["clock_unix_ms"].as_u64().is_some_and(|now| now > 1_767_225_600_000));

        let stopped = StatusReport { trouble: Some("no space".to_owned()), ..StatusReport::default() };
        let server = health(of(&w, stopped), &w.server);
        assert_eq!(refusal(get(&server, "healthz").await, 503).await, "unavailable");
        let text = get(&server, "metrics").await.text().await.expect("text");
        assert!(text.contains("veilgrid_healthy 0\n"));
        for unknown in ["veilgrid_holders", "veilgrid_clock_skew_ms", "veilgrid_certificate_expiry"] {
            assert!(!text.contains(unknown), "{unknown}");
        }
    });
}
