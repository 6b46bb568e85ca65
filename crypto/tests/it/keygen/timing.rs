//! Times of whole sessions, printed: `cargo test --release -p veilgrid-crypto --test it keygen::timing -- --ignored --nocapture`.
#![expect(clippy::disallowed_types, reason = "this test measures")]

use super::world::{World, signers};
use std::time::Instant;
use veilgrid_crypto::keygen::Event;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:>32}: {:8.1} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

/// Runs a session with dealer 2 silent; a step's time is that of all parties in one process.
fn run(world: &mut World) {
    timed("announce, all", || world.announce_all(&[]));
    timed("publish, seal, check, all", || world.deal_all(&[2]));
    let key = world.one_time[0].take().expect("a key");
    let opened =
        timed("open and check, one receiver", || world.session.open(1, key).expect("dealing is over"));
    world.opened[0] = Some(opened);
    timed("open and judge, all", || world.judge_all(&[]));
    world.agreement();
    let size = |event: &Event| event.to_bytes().len();
    let total: usize = world.log.iter().map(|(_, event)| size(event)).sum();
    let largest = world.log.iter().map(|(_, event)| size(event)).max().unwrap_or(0);
    println!("{:>32}: {total} bytes, largest event {largest}", "ledger");
}

#[test]
#[ignore = "prints times"]
fn timing_of_sessions_with_128_keys_and_one_silent_dealer() {
    const KEYS: u32 = 128;
    for n in [4u16, 7, 16] {
        println!("n = {n}, {KEYS} keys");
        println!(" generation");
        let mut world = timed("deal, all", || World::generate(n, KEYS, n.into()));
        run(&mut world);
        let (public, dealers) = (world.agreement().public, world.dealers.clone());
        let held = timed("key shares, all", || world.held());
        println!(" refresh");
        let mut refresh = timed("deal, all", || World::refresh(&public, &dealers, 500));
        run(&mut refresh);
        println!(" resharing to as many");
        let new = signers(n, 600);
        let mut reshare = timed("deal, all", || World::reshare(&public, &dealers, &held, &new, 501));
        run(&mut reshare);
        timed("key shares, all", || reshare.held());
    }
}
