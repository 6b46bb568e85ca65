//! One process that runs a whole community makes the ledger of a network.

use crate::common::{BOOK, SLOT_SECONDS, params};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::convert::Infallible;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Record, audit};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::{Ballot, ConsensusKey};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_roles::committee::{
    FinaliseFault, Founding, VoteFault, Voter, one_process_timing, threshold_for,
};
use veilgrid_roles::core::{MemoryJournal, ValidatorCore};
use veilgrid_roles::keyholder::KeyHolder;
use veilgrid_roles::local::{LocalCommunity, LocalError, RoundEnd, Wire};
use veilgrid_roles::replica::Limits;

const EPOCH: u64 = 3;
const FIRST_OPEN_MS: u64 = 1_700_000_000_000;
const FIRST_SLOT_S: i64 = 1_700_000_100;

struct World {
    rng: ChaCha20Rng,
    keyrings: Vec<Keyring>,
    community: LocalCommunity,
}

impl World {
    fn new(validators: u16) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let keyrings: Vec<_> =
            BOOK.iter().map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        let timing = one_process_timing(FIRST_OPEN_MS, FIRST_SLOT_S, SLOT_SECONDS);
        let founding = Founding {
            params: params(timing, threshold_for(validators)),
            validators,
            members: keyrings.iter().map(|w| w.account_key(EPOCH).verifying_key().to_bytes()).collect(),
            key_epoch: EPOCH,
            time_unix_ms: Founding::genesis_time_ms(&timing),
        };
        let community = LocalCommunity::found(&founding, &mut rng).expect("founded");
        Self { rng, keyrings, community }
    }

    fn bids(&mut self, round_id: u64) -> Vec<SealedBid> {
        let state = self.community.state();
        let context = state.round_context(round_id).expect("open");
        let params = state.community().bid_params().expect("keys");
        let sealed = |(keyring, book): (&Keyring, &[u64; 8])| {
            seal_bid(params, &context, keyring, book, &mut self.rng).expect("sealed")
        };
        self.keyrings.iter().zip(&BOOK).map(sealed).collect()
    }

    fn round(&mut self) -> Result<RoundEnd, LocalError> {
        let round_id = self.community.open_round()?;
        let bids = self.bids(round_id);
        let receipts = self.community.submit(round_id, &bids, &mut self.rng)?;
        assert_eq!(receipts.len(), bids.len());
        self.community.finish_round(round_id)
    }

    fn audit(&self) -> AuditReport {
        let records = self.community.ledger().iter().map(|(block, certificate)| {
            Ok::<_, Infallible>(Record::Block(Box::new(block.clone()), certificate.clone()))
        });
        audit(records, AuditRequest::default(), |_| {}).expect("no violation")
    }
}

/// Changes the shares of these validators, whose messages are the only ones of their kind's length.
fn liars(who: &'static [usize]) -> Wire {
    Box::new(|from, message| {
        // A share's last bytes are its proof's response; bids and key events are longer by far.
        if who.contains(&from)
            && message.len() < 200
            && let Some(byte) = message.last_mut()
        {
            *byte ^= 1;
        }
    })
}

#[test]
fn a_round_of_one_process_is_a_networks_with_certificates_of_all_blocks() {
    let mut w = World::new(4);
    for round_id in 1..=2 {
        let RoundEnd::Settled(settled) = w.round().expect("a round") else { panic!("it trades") };
        assert_eq!((settled.round_id, settled.outcome.volume_wh), (round_id, Some(57)));
    }
    let report = w.audit();
    let blocks = w.community.blocks().count() as u64 - 1;
    assert!(report.certificates.checked);
    assert_eq!((report.certificates.certificates, report.certificates.covered_blocks), (blocks, blocks));
    assert_eq!((report.rounds_settled, report.bids), (2, 8));
    assert_eq!(report.refused, 0);
}

#[test]
fn rounds_follow_the_calendar_and_too_few_bids_void_one() {
    let mut w = World::new(4);
    assert!(w.community.now_unix_ms() < FIRST_OPEN_MS, "keys come before the first opening");
    let round_id = w.community.open_round().expect("opened");
    let slot = w.community.state().round(round_id).expect("open").slot();
    assert_eq!((round_id, slot.start_unix_s, w.community.now_unix_ms()), (1, FIRST_SLOT_S, FIRST_OPEN_MS));
    let bids = w.bids(round_id);
    w.community.submit(round_id, &bids[..1], &mut w.rng).expect("taken");
    assert_eq!(w.community.finish_round(1).expect("an end"), RoundEnd::Voided(VoidReason::TooFewBids));
    assert!(matches!(w.round().expect("the next one"), RoundEnd::Settled(_)));
    assert_eq!(w.audit().rounds_void, 1);
}

#[test]
fn seven_validators_agree_as_four_do() {
    let mut w = World::new(7);
    assert!(matches!(w.round().expect("a round"), RoundEnd::Settled(_)));
    assert!(w.audit().certificates.checked);
}

#[test]
fn one_validator_with_false_shares_is_named_and_two_stall_the_round() {
    let mut w = World::new(4);
    w.community.tamper(liars(&[1]));
    assert!(matches!(w.round().expect("three of four are enough"), RoundEnd::Settled(_)));
    let named = |w: &World| -> Vec<u16> {
        w.community.false_shares().iter().map(|share| share.fault.validator).collect()
    };
    assert!(!named(&w).is_empty() && named(&w).iter().all(|validator| *validator == 2));

    let mut w = World::new(4);
    w.community.tamper(liars(&[1, 3]));
    let Err(LocalError::Stalled { round_id: 1, false_shares }) = w.round() else {
        panic!("two are too many")
    };
    let named: Vec<u16> = false_shares.iter().map(|share| share.fault.validator).collect();
    assert_eq!(named, [2, 4]);
}

/// The same block a millisecond later.
fn later(block: &Block) -> Block {
    let mut block = block.clone();
    block.header.time_unix_ms += 1;
    block
}

fn ballot(block: &Block, ledger_id: Hash, view: u64) -> Ballot {
    Ballot { ledger_id, epoch: 0, view, parent_view: 0, block_hash: block.hash() }
}

/// An orderer that hands out two blocks of one height gets votes for one of them, in whatever views and also after a
/// restart in between. So two certificates of a height need more than f false validators.
#[test]
fn a_validator_votes_for_one_block_of_a_height_and_only_for_the_next_one() {
    let mut w = World::new(4);
    let ledger = w.community.ledger();
    let genesis = ledger[0].0.clone();
    let state = State::from_genesis_block(&genesis).expect("genesis");
    let ledger_id = state.community().ledger_id();
    let mut core = || {
        let (holder, rng) = (KeyHolder::new(SigningKey::generate(&mut w.rng)), ChaCha20Rng::seed_from_u64(9));
        let limits = Limits::default();
        ValidatorCore::new(genesis.clone(), state.clone(), holder, MemoryJournal::new(), rng, limits)
            .expect("a sound journal")
    };
    let key = ConsensusKey::from_seed(&Secret::new([3; 32]));
    let mut voter = Voter::new(core(), key.clone(), None);
    let (first, second) = (&ledger[1].0, &ledger[2].0);
    let other = later(first);
    let now_unix_ms = first.header.time_unix_ms;
    let vote = |voter: &mut Voter<_, _>, block: &Block, view| {
        voter.vote(block, &ballot(block, ledger_id, view), now_unix_ms)
    };
    assert_eq!(vote(&mut voter, second, 1).err(), Some(VoteFault::NotNext { height: 2, last: 0 }));
    vote(&mut voter, first, 1).expect("a vote");
    let again =
        |fault: Option<VoteFault>| matches!(fault, Some(VoteFault::Voted { asked: (0, 1), last: (0, 1) }));
    assert!(again(vote(&mut voter, first, 1).err()) && again(vote(&mut voter, &other, 1).err()));
    assert_eq!(vote(&mut voter, &other, 2).err(), Some(VoteFault::Another { height: 1 }));
    let mut restarted = Voter::new(core(), key, voter.last_vote());
    assert_eq!(vote(&mut restarted, &other, 3).err(), Some(VoteFault::Another { height: 1 }));
    vote(&mut restarted, first, 3).expect("the same block in a later view");
}

/// Key shares open what follows from final blocks, so a validator takes nobody at their word for what is final.
#[test]
fn a_validator_takes_over_what_has_a_true_certificate_and_nothing_else() {
    let mut w = World::new(4);
    assert!(matches!(w.round().expect("a round"), RoundEnd::Settled(_)));
    let ledger = w.community.ledger();
    let genesis = &ledger[0].0;
    let state = State::from_genesis_block(genesis).expect("genesis");
    let (holder, journal) = (KeyHolder::new(SigningKey::generate(&mut w.rng)), MemoryJournal::new());
    let core = ValidatorCore::new(
        genesis.clone(),
        state,
        holder,
        journal,
        ChaCha20Rng::seed_from_u64(9),
        Limits::default(),
    );
    let mut follower = Voter::new(core.expect("a sound journal"), ConsensusKey::generate(&mut w.rng), None);
    let certified = |height: usize| {
        let (block, certificate) = &ledger[height];
        (block, certificate.clone().expect("every block has one"))
    };
    let (first, certificate) = certified(1);
    let (_, of_another) = certified(2);
    let mut flipped = certificate.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    for false_one in [&[][..], &flipped, &of_another] {
        let refused = follower.finalise(first, false_one);
        assert!(matches!(refused, Err(FinaliseFault::Certificate { height: 1, .. })), "{refused:?}");
        assert_eq!(follower.core().state().height(), 0);
    }
    for height in 1..ledger.len() {
        let (block, certificate) = certified(height);
        assert_eq!(follower.finalise(block, &certificate), Ok(()));
        assert_eq!(follower.finalise(block, &[]), Ok(()), "what is known needs no certificate");
        let refused = follower.finalise(&later(block), &certificate);
        assert!(matches!(refused, Err(FinaliseFault::Certificate { .. })), "another one of the height does");
    }
    assert_eq!(follower.core().state().root(), w.community.state().root());
}
