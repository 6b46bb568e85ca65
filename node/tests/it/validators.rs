//! What a node says of the validators, and how a ledger is followed whose blocks somebody else keeps.

use crate::follower_support::{Scripted, Stamps, certified, chain, ledger};
use crate::world::World;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use veilgrid_api::{NumberedValidator, StatusReport, ValidatorSet};
use veilgrid_client::follower::{Chain, Fetch, Follower, FollowerError, Following};
use veilgrid_client::ledger_view::{BlockSource, LedgerView};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientError, ClientOptions};
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_node::http::{HttpOptions, HttpServer, Services};
use veilgrid_node::roster::{Proposal, ProposalError};

fn set(world: &World) -> ValidatorSet {
    ValidatorSet::of(&world.state)
}

#[test]
fn a_change_is_shown_from_the_request_until_it_is_in_force() {
    let mut world = World::keyed(4);
    let before = set(&world);
    assert_eq!((before.since_epoch, before.threshold, before.validators.len()), (0, 3, 4));
    assert_eq!(before.roster(), *world.state.roster());
    assert_eq!((before.pending.clone(), before.session.clone()), (None, None));
    let (next, change) = (world.roster_of(&[0, 1, 2, 4, 5]), world.sound_change(&[0, 1, 2, 4, 5]));
    let comes: Vec<_> = next.validators[3..].to_vec();
    let proposal = Proposal::new(&before, &comes, &[4]).expect("sound");
    assert_eq!(proposal.new, NumberedValidator::of(&next), "the order of the ledger's own change");

    world.push(vec![change]);
    let asked = set(&world).pending.expect("asked for");
    assert_eq!((asked.from_epoch, asked.validators), (None, NumberedValidator::of(&next)));
    assert!(matches!(proposal.check_against(&set(&world)), Err(ProposalError::UnderWay)));
    world.step();
    let session = set(&world).session.expect("it deals");
    assert_eq!((session.task.as_str(), session.phase.as_str()), ("reshare", "announcing"));

    world.steps_until("an agreement", |world| {
        set(world).pending.is_some_and(|next| next.from_epoch.is_some())
    });
    let agreed = set(&world);
    let from = agreed.pending.expect("agreed");
    assert_eq!((from.from_epoch, from.validators), (Some(agreed.epoch + 1), NumberedValidator::of(&next)));
    assert_eq!(agreed.validators, before.validators, "not in force yet");
    world.steps_until("the new validators", |world| set(world).pending.is_none());
    let after = set(&world);
    assert_eq!(
        (after.since_epoch, after.epoch, after.validators),
        (agreed.epoch + 1, agreed.epoch + 1, proposal.new)
    );
}

/// No blocks.
struct Nothing;

impl BlockSource for Nothing {
    fn block(&self, _: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        None
    }
}

#[test]
fn the_validators_are_answered_over_http_and_a_closed_node_takes_nothing() {
    let world = World::keyed(4);
    let expected = set(&world);
    actix::System::new().block_on(async {
        let ledger = LedgerView::new(world.state.clone(), Nothing);
        let services = Services {
            intake: None,
            relay: None,
            submit: Some(actix::Actor::start(Pool).recipient()),
            ledger,
            status: Arc::new(|| StatusReport {
                role: "validator".into(),
                closed: Some("this node is closed"),
                ..StatusReport::default()
            }),
        };
        let options = HttpOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = HttpServer::start(options, services).expect("server");
        let url = format!("http://{}", server.addresses()[0]);
        let client = Client::new(&url, &ClientOptions::default()).expect("client");
        assert_eq!(client.validators().await.expect("an answer"), expected);
        let refused = client.submit_transaction(vec![1]).await.expect_err("closed");
        let ClientError::Refused { status: 503, problem, .. } = refused else { panic!("{refused}") };
        assert!(problem.detail.contains("this node is closed"), "{}", problem.detail);
        server.stop().await;
    });
}

/// Would take every transaction.
struct Pool;

impl actix::Actor for Pool {
    type Context = actix::Context<Self>;
}

impl actix::Handler<veilgrid_node::http::SubmitTransaction> for Pool {
    type Result = Result<(), veilgrid_node::http::SubmitError>;

    fn handle(&mut self, _: veilgrid_node::http::SubmitTransaction, _: &mut Self::Context) -> Self::Result {
        Ok(())
    }
}

fn following(directory: &std::path::Path, sources: Vec<Arc<dyn Fetch>>) -> Following {
    Following {
        evidence: directory.to_owned(),
        sources,
        first_source: 7,
        long_poll: Duration::from_millis(200),
        batch: 4,
        verdicts: Box::new(VerifyAll),
    }
}

#[test]
fn a_chain_that_is_kept_elsewhere_is_followed_from_its_end() {
    let mut world = World::new(4);
    (0..9).for_each(|_| drop(world.step()));
    let directory = tempfile::tempdir().expect("directory");
    // Where somebody else's store ends.
    let mut kept = chain(&world);
    let run: Vec<_> = (1..=4).map(|height| certified(&world, height)).collect();
    kept.take(&run, &mut VerifyAll).expect("no end");
    let (state, tip) = (kept.state().clone(), Arc::new(world.blocks[4].clone()));
    let at = |state: State| Chain::new(state, Arc::clone(&tip), None, Stamps);
    let nobody = Follower::at(at(state.clone()), following(directory.path(), Vec::new()));
    assert!(matches!(nobody, Err(FollowerError::NoSources)));

    let source: Vec<Arc<dyn Fetch>> = vec![Scripted::serving("honest", ledger(&world))];
    let follower = Follower::at(at(state), following(directory.path(), source)).expect("a source");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let heights = runtime.block_on(async {
        let (sink, mut blocks) = mpsc::channel(2);
        let shutdown = Shutdown::new();
        let task = tokio::spawn(follower.run(sink, shutdown.clone()));
        let mut heights = Vec::new();
        while heights.last() != Some(&9) {
            let block = tokio::time::timeout(Duration::from_secs(60), blocks.recv()).await.expect("in time");
            heights.push(block.expect("it goes on").block.header.height);
        }
        shutdown.trigger();
        task.await.expect("no panic").expect("no end");
        heights
    });
    assert_eq!(heights, [5, 6, 7, 8, 9], "nothing of it again, and nothing left out");
    assert_eq!(std::fs::read_dir(directory.path()).expect("list").count(), 0, "nothing is stored here");
}
