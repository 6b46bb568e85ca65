//! Days with validators that lie, differ, do not answer, or have no room on their disks.

use crate::common::{audited, blocks, check_against_plain_clearing, config, records, run};
use actix::{Actor, ActorContext, Context, Handler, Recipient, ResponseFuture};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use veilgrid_actors::validator::{
    Acknowledgement, CastVote, Finalise, Gossip, Gossiped, Journal, JournalError, Propose, StoreJournal,
    ValidatorFault,
};
use veilgrid_demo::orderer::OrderError;
use veilgrid_demo::{DayError, DayEvent, RoundResult, Surroundings};
use veilgrid_ledger::audit::{AuditRequest, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::Vote;
use veilgrid_roles::replica::Proposal;
use veilgrid_store::StoreError;

/// Stands between the orderer and a validator and changes the proof of each of its shares.
struct Liar(Recipient<Gossip>);

impl Actor for Liar {
    type Context = Context<Self>;
}

impl Handler<Gossip> for Liar {
    type Result = ResponseFuture<Result<Gossiped, ValidatorFault>>;

    fn handle(&mut self, message: Gossip, _: &mut Self::Context) -> Self::Result {
        let request = self.0.send(message);
        Box::pin(async move {
            let mut gossiped = request.await.expect("the validator")?;
            // The response stands at the end of a share; bids and key events are longer by far.
            for message in gossiped.messages.iter_mut().filter(|message| message.len() < 200) {
                *message.last_mut().expect("bytes") ^= 1;
            }
            Ok(gossiped)
        })
    }
}

/// Stands between the orderer and a validator and changes the state root of its acknowledgements.
struct Stray(Recipient<Finalise>);

impl Actor for Stray {
    type Context = Context<Self>;
}

impl Handler<Finalise> for Stray {
    type Result = ResponseFuture<Result<Acknowledgement, ValidatorFault>>;

    fn handle(&mut self, message: Finalise, _: &mut Self::Context) -> Self::Result {
        let request = self.0.send(message);
        Box::pin(async move {
            let mut acknowledged = request.await.expect("the validator")?;
            acknowledged.state_root[0] ^= u8::from(acknowledged.height == 3);
            Ok(acknowledged)
        })
    }
}

fn with_strays(dir: &std::path::Path, strays: &'static [u16]) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    surroundings.network = Box::new(move |mut links| {
        for link in links.iter_mut().filter(|link| strays.contains(&link.validator)) {
            link.finalise = Stray(link.finalise.clone()).start().recipient();
        }
        links
    });
    surroundings
}

#[test]
fn a_validator_with_another_state_is_left_behind_and_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_strays(dir.path(), &[4]), |_, _| {});
    let report = report.expect("three of four are enough");
    let [(4, why)] = report.tip.left_behind.as_slice() else { panic!("{:?}", report.tip.left_behind) };
    assert!(why.contains("validator 4 has another state after block 3"), "{why}");
    check_against_plain_clearing(&report);
    assert_eq!(report.whole_store(), Some(&report.store_dirs[0]));
    let audit = audited(records(&report.store_dirs[0]), &report);
    assert_eq!(audit.certificates.covered_blocks, report.blocks() - 1);
}

#[test]
fn two_validators_with_another_state_stop_the_day_and_are_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_strays(dir.path(), &[1, 4]), |_, _| {});
    let Err(DayError::Order(error)) = report else { panic!("two of four can't decide: {report:?}") };
    let text = error.to_string();
    assert!(text.contains("validator 1 has another state") && text.contains("validator 4 has"), "{text}");
}

/// Stands between the orderer and a validator and changes what it proposes.
struct FalseLeader(Recipient<Propose>, fn(Proposal) -> Proposal);

impl Actor for FalseLeader {
    type Context = Context<Self>;
}

impl Handler<Propose> for FalseLeader {
    type Result = ResponseFuture<Result<Proposal, ValidatorFault>>;

    fn handle(&mut self, message: Propose, _: &mut Self::Context) -> Self::Result {
        let (request, lie) = (self.0.send(message), self.1);
        Box::pin(async move { Ok(lie(request.await.expect("the validator")?)) })
    }
}

/// A block from the future, which nobody votes for.
fn too_late(proposal: Proposal) -> Proposal {
    match proposal {
        Proposal::Block(mut block) => {
            block.header.time_unix_ms += 1_000_000;
            Proposal::Block(block)
        }
        wait @ Proposal::Wait { .. } => wait,
    }
}

#[test]
fn a_leader_whose_blocks_nobody_votes_for_or_that_only_waits_is_passed_over() {
    let lies: [fn(Proposal) -> Proposal; 4] = [
        too_late,
        |_| Proposal::Wait { ms: 0 },
        |_| Proposal::Wait { ms: 20 },
        |_| Proposal::Wait { ms: u64::MAX },
    ];
    for lie in lies {
        let dir = tempfile::tempdir().expect("directory");
        let mut surroundings = Surroundings::local(dir.path());
        surroundings.network = Box::new(move |mut links| {
            links[1].propose = FalseLeader(links[1].propose.clone(), lie).start().recipient();
            links
        });
        let (report, _) = run(config(dir.path()), surroundings, |_, _| {});
        let report = report.expect("three of four are enough");
        assert!(report.rounds.iter().all(|round| matches!(round.result, RoundResult::Settled(_))));
        check_against_plain_clearing(&report);
        let audit = audited(records(&report.store_dirs[1]), &report);
        assert_eq!(audit.certificates.covered_blocks, report.blocks() - 1);
        assert!(report.tip.left_behind.is_empty(), "its own copy is whole");
    }
}

fn with_liars(dir: &std::path::Path, liars: &'static [u16]) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    surroundings.network = Box::new(move |mut links| {
        for link in links.iter_mut().filter(|link| liars.contains(&link.validator)) {
            link.gossip = Liar(link.gossip.clone()).start().recipient();
        }
        links
    });
    surroundings
}

#[test]
fn a_validator_with_false_shares_is_named_and_the_sums_are_right() {
    let dir = tempfile::tempdir().expect("directory");
    let config = config(dir.path());
    let (report, events) = run(config, with_liars(dir.path(), &[2]), |_, _| {});
    let report = report.expect("three of four are enough");
    assert!(matches!(report.rounds[0].result, RoundResult::Settled(_)));
    check_against_plain_clearing(&report);
    let openings: usize = report.rounds.iter().map(|round| round.opened.len()).sum();
    assert!((1..=openings).contains(&report.tip.false_shares.len()), "{:?}", report.tip.false_shares);
    assert!(report.tip.false_shares.iter().all(|share| share.fault.validator == 2));
    assert!(events.iter().any(|event| matches!(event, DayEvent::FalseShare(_))));
}

#[test]
fn two_validators_with_false_shares_stop_the_day_and_are_named() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_liars(dir.path(), &[2, 4]), |_, _| {});
    let Err(DayError::Order(OrderError::Stalled { round_id: 1, false_shares })) = report else {
        panic!("two of four can't open: {report:?}")
    };
    let named: BTreeSet<u16> = false_shares.iter().map(|share| share.fault.validator).collect();
    assert_eq!(named, BTreeSet::from([2, 4]), "{false_shares:?}");
}

/// A disk that is full from some block on, for this many tries.
struct FullDisk {
    inner: StoreJournal,
    from_height: u64,
    tries: u32,
    path: PathBuf,
}

impl Journal for FullDisk {
    fn open(
        &mut self,
        visit: &mut dyn FnMut(Block) -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        self.inner.open(visit)
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        if block.header.height >= self.from_height && self.tries > 0 {
            self.tries -= 1;
            return Err(StoreError::DiskFull { path: self.path.clone() }.into());
        }
        self.inner.append(block, certificate)
    }
}

/// These validators' disks are full for this many tries.
fn with_full_disks(dir: &std::path::Path, full: &'static [u16], tries: u32) -> Surroundings {
    let mut surroundings = Surroundings::local(dir);
    let below = dir.to_owned();
    surroundings.journals = Box::new(move |validator| {
        let path = below.join(format!("validator-{validator}"));
        let inner = StoreJournal::new(path.clone());
        if full.contains(&validator) {
            Box::new(FullDisk { inner, from_height: 4, tries, path })
        } else {
            Box::new(inner)
        }
    });
    surroundings
}

#[test]
fn a_validator_whose_disk_was_full_for_a_moment_catches_up() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_full_disks(dir.path(), &[3], 2), |_, _| {});
    let report = report.expect("three of four are enough");
    assert!(report.tip.left_behind.is_empty(), "{:?}", report.tip.left_behind);
    assert_eq!(blocks(&report.store_dirs[2]).len() as u64, report.blocks());
}

#[test]
fn a_full_disk_is_named_and_leaves_whole_ledgers() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_full_disks(dir.path(), &[1], u32::MAX), |_, _| {});
    let report = report.expect("three of four are enough");
    let [(1, why)] = report.tip.left_behind.as_slice() else { panic!("{:?}", report.tip.left_behind) };
    assert!(why.contains("no space left"), "{why}");
    assert_eq!(report.whole_store(), Some(&report.store_dirs[1]));
    for (dir, count) in report.store_dirs.iter().zip([4, report.blocks(), report.blocks(), report.blocks()]) {
        let stored = records(dir);
        assert_eq!(stored.len() as u64, count, "{}", dir.display());
        let request = AuditRequest::default();
        audit(stored.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("a whole ledger");
    }
}

#[test]
fn two_full_disks_end_the_day_with_their_names_and_leave_whole_ledgers() {
    // Whoever's turn it is: one of them, or one of the others.
    for full in [&[1, 2], &[2, 3], &[3, 4], &[1, 4]] {
        let dir = tempfile::tempdir().expect("directory");
        let (report, events) =
            run(config(dir.path()), with_full_disks(dir.path(), full, u32::MAX), |_, _| {});
        let error = report.expect_err("two of four can't decide").to_string();
        assert!(full.iter().all(|validator| error.contains(&format!("validator {validator}"))), "{error}");
        assert!(error.contains("no space left"), "{error}");
        assert!(!events.iter().any(|event| matches!(event, DayEvent::Settled { .. })));
        for validator in 1..=4 {
            let stored = records(&dir.path().join(format!("validator-{validator}")));
            assert!((4..=5).contains(&stored.len()), "validator {validator}");
            let request = AuditRequest::default();
            audit(stored.into_iter().map(Ok::<_, Infallible>), request, |_| {}).expect("a whole ledger");
        }
    }
}

/// Two of four are no quorum's loss when both come back: without a next block they are tried again at once.
#[test]
fn two_validators_whose_disks_were_full_for_a_moment_catch_up() {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run(config(dir.path()), with_full_disks(dir.path(), &[2, 3], 2), |_, _| {});
    let report = report.expect("both have room again");
    assert!(report.tip.left_behind.is_empty(), "{:?}", report.tip.left_behind);
    for dir in &report.store_dirs {
        assert_eq!(blocks(dir).len() as u64, report.blocks(), "{}", dir.display());
    }
}

/// Takes the place of a validator's ear or hand and is gone.
struct Gone;

impl Actor for Gone {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Gossip> for Gone {
    type Result = Result<Gossiped, ValidatorFault>;

    fn handle(&mut self, _: Gossip, _: &mut Self::Context) -> Self::Result {
        unreachable!("it is gone")
    }
}

impl Handler<CastVote> for Gone {
    type Result = Result<Vote, ValidatorFault>;

    fn handle(&mut self, _: CastVote, _: &mut Self::Context) -> Self::Result {
        unreachable!("it is gone")
    }
}

#[test]
fn a_validator_that_does_not_answer_is_left_behind_and_not_waited_for_again() {
    for deaf in [false, true] {
        let dir = tempfile::tempdir().expect("directory");
        let mut surroundings = Surroundings::local(dir.path());
        surroundings.network = Box::new(move |mut links| {
            if deaf {
                links[1].gossip = Gone.start().recipient();
            } else {
                links[1].vote = Gone.start().recipient();
            }
            links
        });
        let (report, _) = run(config(dir.path()), surroundings, |_, _| {});
        let report = report.expect("three of four are enough");
        let [(2, why)] = report.tip.left_behind.as_slice() else { panic!("{:?}", report.tip.left_behind) };
        assert!(why.contains("validator 2 does not answer"), "{why}");
        check_against_plain_clearing(&report);
        // It takes final blocks all the same; nobody asks it, so that each block is not held up by it.
        assert!((blocks(&report.store_dirs[1]).len() as u64) < report.blocks());
    }
}
