//! Sources that begin an answer and do not finish it, and one whose answer is too long.

use super::follow;
use crate::follower_support::{Scripted, ledger};
use crate::world::World;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::blocks::MAX_ANSWER_BYTES;
use veilgrid_client::follower::Fetch;
use veilgrid_client::{Client, ClientError, ClientOptions};

/// A node that answers each request with a head, and then as the function says. Its threads end with their peers.
fn node(body: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let body = Arc::new(body);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let body = Arc::clone(&body);
            std::thread::spawn(move || answer(stream, body.as_ref()));
        }
    });
    Client::new(&url, &ClientOptions::default()).expect("a client")
}

fn answer(
    mut stream: TcpStream,
    body: &(impl Fn(TcpStream) -> std::io::Result<()> + ?Sized),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n\r\n",
    )?;
    body(stream)
}

/// A byte now and then, each in time for the next one.
fn drip(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(work)
}

#[test]
fn a_source_that_drips_holds_a_follower_up_for_seconds_only() {
    let mut world = World::new(4);
    (0..8).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    let sources: Vec<Arc<dyn Fetch>> =
        vec![Arc::new(node(drip)), Arc::new(node(drip)), Scripted::serving("honest", ledger(&world))];
    let began = Stopwatch::start();
    let (blocks, _, end) = follow(&world, directory.path(), sources, 8);
    assert!(end.is_ok());
    assert_eq!(blocks.len(), 8);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_dripped_answer_is_a_stall_and_a_slow_one_that_keeps_its_rate_is_none() {
    let error = block_on(node(drip).blocks(1, 9, Duration::ZERO)).expect_err("it does not end");
    assert!(error.is_stall() && !error.is_misbehaviour(), "{error}");
    // A quarter of a mebibyte each second: no frames, so that it is refused when all of it is there.
    let slow = node(|mut stream| {
        for _ in 0..16 {
            stream.write_all(&[0xff; 64 << 10])?;
            std::thread::sleep(Duration::from_millis(250));
        }
        Ok(())
    });
    let error = block_on(slow.blocks(1, 9, Duration::ZERO)).expect_err("no frames");
    assert!(matches!(error, ClientError::Malformed { .. }), "{error}");
}

#[test]
fn an_answer_that_is_longer_than_any_honest_one_is_refused() {
    let long = node(|mut stream| {
        for _ in 0..13 {
            stream.write_all(&vec![0; 1 << 20])?;
        }
        Ok(())
    });
    let error = block_on(long.blocks(1, 9, Duration::ZERO)).expect_err("too long");
    assert!(
        matches!(error, ClientError::TooLong { bound, .. } if bound == MAX_ANSWER_BYTES && bound == 12 << 20),
        "{error}"
    );
}
