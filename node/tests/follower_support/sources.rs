//! A follower and the API of a node, sources that have pruned, and a damaged store.

use super::{all_heights, follow, fork_of, heights, options};
use crate::follower_support::{Scripted, Warnings, genesis, ledger};
use crate::world::World;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use veilgrid_api::{CertifiedBlock, StatusReport};
use veilgrid_client::follower::{Fetch, Follower, FollowerError};
use veilgrid_client::ledger_view::{BlockSource, LedgerView};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_node::http::{HttpOptions, HttpServer, Services};
use veilgrid_store::Store;

/// The blocks of a world behind a server; those below the number are pruned.
struct Shelf(Vec<CertifiedBlock>, u64);

impl BlockSource for Shelf {
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let at = usize::try_from(height).ok().filter(|_| height >= self.1)?;
        let CertifiedBlock { block, certificate } = self.0.get(at)?;
        Some((block.clone(), certificate.clone()))
    }
}

/// Runs `work` with the address of a node that shows a world's ledger, pruned below a height.
fn with_node(world: &World, pruned_below: u64, work: impl FnOnce(&str)) {
    let view = LedgerView::new(world.state.clone(), Shelf(ledger(world), pruned_below));
    let (address, addresses) = std::sync::mpsc::channel();
    let stop = Shutdown::new();
    let stopped = stop.clone();
    let server = std::thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            let services = Services {
                intake: None,
                relay: None,
                submit: None,
                ledger: view,
                status: Arc::new(|| StatusReport {
                    role: "validator".into(),
                    index: Some(3),
                    ..StatusReport::default()
                }),
            };
            let listen = "127.0.0.1:0".parse().expect("an address");
            let server = HttpServer::start(HttpOptions::new(listen), services).expect("starts");
            address.send(server.addresses()[0]).expect("sent");
            stopped.wait().await;
            server.stop().await;
        });
    });
    work(&format!("http://{}", addresses.recv().expect("an address")));
    stop.trigger();
    server.join().expect("the server ends");
}

#[test]
fn a_follower_reads_the_api_of_a_node() {
    let mut world = World::new(4);
    (0..10).for_each(|_| drop(world.step()));
    with_node(&world, 0, |url| {
        let client = Client::new(url, &ClientOptions::default()).expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let status = client.status().await.expect("status");
            assert_eq!((status.height, status.node.index, &*status.node.role), (10, Some(3), "validator"));
            assert_eq!(client.genesis().await.expect("genesis"), genesis(&world).to_bytes());
            assert!(client.clock_unix_s().await.expect("an answer").is_some());
            let refused = client.submit_bid(vec![1, 2, 3]).await.expect_err("no intake here");
            assert!(refused.to_string().contains("404"), "{refused}");
        });
        drop(runtime);
        let directory = tempfile::tempdir().expect("directory");
        let (blocks, lies, end) = follow(&world, directory.path(), vec![Arc::new(client)], 10);
        assert!(end.is_ok());
        assert_eq!((heights(&blocks), lies), (all_heights(&world), vec![0]));
    });
}

#[test]
fn a_node_that_has_pruned_blocks_says_so_and_serves_the_rest() {
    let mut world = World::new(4);
    (0..6).for_each(|_| drop(world.step()));
    with_node(&world, 4, |url| {
        let client = Client::new(url, &ClientOptions::default()).expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let pruned = client.blocks(3, 9, Duration::ZERO).await.expect_err("pruned");
            assert!(pruned.is_absence() && !pruned.is_misbehaviour(), "{pruned}");
            assert_eq!(client.blocks(4, 9, Duration::ZERO).await.expect("there").len(), 3);
            assert_eq!(client.blocks(7, 9, Duration::ZERO).await.expect("not made yet").len(), 0);
        });
    });
}

#[test]
fn a_follower_says_once_that_nobody_has_the_blocks_it_needs() {
    let mut world = World::new(4);
    (0..6).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    let pruned = |name| Scripted::pruned(name, ledger(&world), 4);
    let sources: Vec<Arc<dyn Fetch>> = vec![pruned("one"), Scripted::silent("silent"), pruned("two")];
    let follower = Follower::open(options(&world, directory.path(), sources), |_| true);
    let follower = follower.expect("opened").expect("not stopped");
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let (sink, _blocks) = mpsc::channel(2);
            let shutdown = Shutdown::new();
            let following = tokio::spawn(follower.run(sink, shutdown.clone()));
            tokio::time::sleep(Duration::from_secs(2)).await;
            shutdown.trigger();
            following.await.expect("no panic").expect("no end");
        });
    });
    let warnings = warnings.0.lock().expect("warnings");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["height=1 ", "pruned=2 ", "of=3 ", "validator_urls", "aggregator"] {
        assert!(warnings[0].contains(part), "{part}: {}", warnings[0]);
    }
}

#[test]
fn pruned_blocks_that_are_there_already_hold_nobody_up() {
    let mut world = World::new(4);
    (0..8).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    let first: Vec<Arc<dyn Fetch>> = vec![Scripted::serving("honest", ledger(&world)[..=5].to_vec())];
    follow(&world, directory.path(), first, 5).2.expect("no end");
    // Its bids of the follower's last block are gone, those of the next one are not.
    let second: Vec<Arc<dyn Fetch>> = vec![Scripted::pruned("pruned", ledger(&world), 6)];
    let (blocks, lies, end) = follow(&world, directory.path(), second, 8);
    assert!(end.is_ok());
    assert_eq!((heights(&blocks), lies), (all_heights(&world), vec![0]));
    // Nor does it hide a fork.
    let fork = fork_of(&world, 4);
    let third: Vec<Arc<dyn Fetch>> = vec![
        Scripted::serving("ours", ledger(&world)[..=6].to_vec()),
        Scripted::pruned("theirs", ledger(&fork), 7),
    ];
    let directory = tempfile::tempdir().expect("directory");
    let (_, _, end) = follow(&world, directory.path(), third, 8);
    assert!(matches!(end, Err(FollowerError::Fork(_))));
}

/// A directory with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("directory");
    for entry in std::fs::read_dir(from).expect("directory") {
        let (path, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("entry");
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn a_damaged_store_is_moved_aside_and_fetched_again() {
    let mut world = World::new(4);
    (0..8).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    let (store, old) = (directory.path().join("ledger"), directory.path().join("old"));
    let source = || -> Vec<Arc<dyn Fetch>> { vec![Scripted::serving("honest", ledger(&world))] };
    let (blocks, ..) =
        follow(&world, directory.path(), vec![Scripted::serving("half", ledger(&world)[..=4].to_vec())], 4);
    assert_eq!(blocks.len(), 4);
    copy(&store, &old);
    follow(&world, directory.path(), source(), 8).2.expect("no end");
    // The disk forgets what came after block 4, but not that it was acknowledged.
    let acknowledged = std::fs::read(store.join("acknowledged")).expect("read");
    std::fs::remove_dir_all(&store).expect("removed");
    copy(&old, &store);
    std::fs::write(store.join("acknowledged"), acknowledged).expect("written");
    assert!(Store::open(&store).is_err_and(|error| error.is_damage()), "it is damaged");

    let mut replayed = 0;
    let nobody: Vec<Arc<dyn Fetch>> = vec![Scripted::silent("nobody")];
    let opened = Follower::open(options(&world, directory.path(), nobody), |_| {
        replayed += 1;
        true
    });
    assert_eq!(opened.expect("opened").expect("not stopped").state().height(), 4);
    assert_eq!(replayed, 4, "what is whole is kept");
    assert!(directory.path().join("ledger.damaged-1").is_dir(), "nothing is thrown away");
    let (blocks, _, end) = follow(&world, directory.path(), source(), 8);
    assert!(end.is_ok());
    assert_eq!(heights(&blocks), all_heights(&world));
    assert_eq!(blocks.last().expect("one").state.root(), world.state.root());
    assert!(!directory.path().join("ledger.damaged-2").exists(), "it is whole now");
}
