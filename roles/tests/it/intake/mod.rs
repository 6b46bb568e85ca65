//! What an intake admits, what it refuses and why, and what becomes of its promises after a restart.

mod queue;

use crate::common::params;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::{BidFault, SealedBid, seal_bid};
use veilgrid_crypto::envelope::{ENVELOPE_OVERHEAD, EnvelopeKey, seal_envelope};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerifyAll};
use veilgrid_market::Grid;
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::intake::{
    Admitted, Concluded, Intake, IntakeError, Received, RestoreError, envelope_bytes,
};
use veilgrid_roles::local::LocalCommunity;
use veilgrid_roles::member::envelope_for;

const EPOCH: u64 = 1;
const OPENS_MS: u64 = 60_000;
const NOW_MS: u64 = OPENS_MS + 5_000;

fn is_second(rule: &Refusal) -> bool {
    matches!(rule, Refusal::Rounds(RoundRefusal::SecondBid { round: 1, .. }))
}

struct World {
    rng: ChaCha20Rng,
    keyrings: Vec<Keyring>,
    community: LocalCommunity,
    envelope_key: [u8; 32],
    receipt_key: SigningKey,
}

fn world() -> World {
    world_of(3)
}

fn world_of(members: u32) -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let keyrings: Vec<Keyring> =
        (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
    let timing = one_process_timing(OPENS_MS, 900, 900);
    let market = MarketParams {
        grid: Grid::new(0, 1000, 2).expect("grid"),
        max_members: members,
        ..params(timing, threshold_for(4))
    };
    let accounts =
        keyrings.iter().map(|keyring| keyring.account_key(EPOCH).verifying_key().to_bytes()).collect();
    let founding =
        Founding { params: market, validators: 4, members: accounts, key_epoch: EPOCH, time_unix_ms: 0 };
    let mut community = LocalCommunity::found(&founding, &mut rng).expect("founded");
    assert_eq!(community.open_round().expect("open"), 1);
    let envelope_key = *EnvelopeKey::generate(&mut rng).to_bytes().expose();
    let receipt_key = SigningKey::generate(&mut rng);
    World { rng, keyrings, community, envelope_key, receipt_key }
}

impl World {
    fn state(&self) -> State {
        self.community.state().clone()
    }
    fn genesis(&self) -> &Block {
        &self.community.ledger()[0].0
    }
    fn key(&self) -> EnvelopeKey {
        EnvelopeKey::from_bytes(&self.envelope_key)
    }
    fn intake(&self, last_sequence: u64) -> Intake {
        Intake::new(self.key(), self.receipt_key.clone(), self.state(), last_sequence)
    }
    fn restore(&self, journal: &[Admitted]) -> Result<(Intake, Vec<Admitted>), RestoreError> {
        let pairs = journal.iter().map(|one| (one.bid.clone(), one.receipt.clone()));
        Intake::restore(self.key(), self.receipt_key.clone(), self.state(), 0, pairs)
    }
    fn bid(&mut self, member: usize, quantity_wh: u64) -> SealedBid {
        let state = self.state();
        let params = state.community().bid_params().expect("keys");
        let context = state.round_context(1).expect("open");
        let quantities_wh = [quantity_wh, 0, 0, 0];
        seal_bid(params, &context, &self.keyrings[member], &quantities_wh, &mut self.rng).expect("sealed")
    }
    fn receive(&mut self, intake: &mut Intake, bid: &SealedBid) -> Result<Received, IntakeError> {
        let ledger_id = self.state().community().ledger_id();
        intake.receive(&envelope_for(&self.key().public(), &ledger_id, bid, &mut self.rng), NOW_MS)
    }
    /// Verifies what waits and concludes.
    fn conclude(&mut self, intake: &mut Intake) -> Concluded {
        let state = self.state();
        let batch = intake.batch(usize::MAX);
        let context = state.round_context(1).expect("open");
        let verdicts = VerifyAll.verify(
            state.community().bid_params().expect("keys"),
            BidsAsked::without_money(&context, &batch),
        );
        let verdicts = batch.into_iter().zip(verdicts.into_iter().map(|verdict| verdict.map(|_| ())));
        intake.conclude(verdicts.collect(), NOW_MS, &mut self.rng)
    }
    /// A batch of this bid whose verdict is that its proof is false.
    fn fail(&mut self, intake: &mut Intake, bid: &SealedBid) {
        assert!(matches!(self.receive(intake, bid), Ok(Received::Waiting(_))));
        let concluded = intake.conclude(vec![(bid.clone(), Err(BidFault::Range))], NOW_MS, &mut self.rng);
        assert_eq!(concluded.answers, [(bid.digest(), Err(IntakeError::Fault(BidFault::Range)))]);
        assert!(concluded.admitted.is_empty());
    }
    fn admit(&mut self, intake: &mut Intake, bid: &SealedBid) -> Admitted {
        assert!(matches!(self.receive(intake, bid), Ok(Received::Waiting(_))));
        let mut concluded = self.conclude(intake);
        assert_eq!(concluded.admitted.len(), 1);
        concluded.admitted.remove(0)
    }
}

fn receipt_of(concluded: &Concluded) -> &Receipt {
    concluded.answers[0].1.as_ref().expect("a receipt")
}

#[test]
fn a_receipt_names_the_bid_and_the_same_bytes_get_it_again_even_after_the_close() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(0, 1);
    let Admitted { receipt, on_ledger, .. } = w.admit(&mut intake, &bid);
    assert!(!on_ledger);
    assert_eq!(receipt.verify(&w.receipt_key.verifying_key()), Ok(()));
    assert_eq!((receipt.bid_digest, receipt.account, receipt.sequence), (bid.digest(), bid.account, 1));
    assert_eq!(w.receive(&mut intake, &bid), Ok(Received::Repeated(receipt.clone())));
    let other = w.bid(0, 2);
    assert!(matches!(w.receive(&mut intake, &other), Err(IntakeError::Ledger(rule)) if is_second(&rule)));

    // Closed and not finished: the blocks up to the close.
    let (late, filled) = (w.bid(2, 2), [bid.clone(), w.bid(1, 3)]);
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    w.community.submit(1, &filled, &mut rng).expect("on the ledger");
    w.community.finish_round(1).expect("settled");
    let mut closed = State::from_genesis_block(w.genesis()).expect("genesis");
    for block in w.community.blocks().skip(1) {
        closed.apply_block(block, &mut VerifyAll).expect("a block");
        if closed.round(1).is_some_and(|round| !round.takes_bids()) {
            break;
        }
    }
    assert!(closed.round(1).is_some());
    intake.advance(closed);
    assert_eq!(intake.receive_bid(bid, NOW_MS), Ok(Received::Repeated(receipt)));
    assert_eq!(intake.receive_bid(late, NOW_MS), Err(IntakeError::NotOpen { round_id: 1 }));
}

#[test]
fn a_finished_round_is_forgotten() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (bid, waiting) = (w.bid(0, 1), w.bid(1, 1));
    w.admit(&mut intake, &bid);
    assert!(matches!(w.receive(&mut intake, &waiting), Ok(Received::Waiting(_))));
    w.community.finish_round(1).expect("void");
    intake.advance(w.state());
    assert!(!intake.awaits(&waiting.digest()) && intake.batch(9).is_empty());
    assert_eq!(intake.receive_bid(bid, NOW_MS), Err(IntakeError::NotOpen { round_id: 1 }));
}

#[test]
fn an_older_state_does_not_take_the_intake_back() {
    let mut w = world();
    let old = State::from_genesis_block(w.genesis()).expect("genesis");
    let mut intake = w.intake(0);
    intake.advance(old);
    let bid = w.bid(0, 1);
    assert!(matches!(w.receive(&mut intake, &bid), Ok(Received::Waiting(_))));
}

#[test]
fn size_envelope_form_round_and_membership_are_told_apart() {
    let mut w = world();
    let mut intake = w.intake(0);
    let state = w.state();
    let (ledger_id, bytes) = (state.community().ledger_id(), envelope_bytes(state.community().params()));
    let bid = w.bid(0, 1);
    assert_eq!(bytes, bid.to_bytes().len() + ENVELOPE_OVERHEAD);
    for found in [0, bytes - 1, bytes + 1] {
        let refused = intake.receive(&vec![0; found], NOW_MS);
        assert_eq!(refused, Err(IntakeError::Size { found, expected: bytes }));
    }
    assert!(matches!(intake.receive(&vec![0; bytes], NOW_MS), Err(IntakeError::Envelope(_))));
    let key = w.key().public();
    let moved = seal_envelope(&key, &ledger_id, 2, &bid.to_bytes(), &mut w.rng);
    assert_eq!(intake.receive(&moved, NOW_MS), Err(IntakeError::RoundMismatch { envelope: 2, bid: 1 }));
    let later = SealedBid { round_id: 2, ..bid.clone() };
    assert_eq!(w.receive(&mut intake, &later), Err(IntakeError::NotYetOpen { round_id: 2 }));
    let stranger = SigningKey::generate(&mut w.rng).verifying_key().to_bytes();
    let foreign = SealedBid { account: stranger, ..bid };
    let no_member = Refusal::Rounds(RoundRefusal::NotAMember { round: 1, account: Account(stranger) });
    assert_eq!(w.receive(&mut intake, &foreign), Err(no_member.into()));
    assert!(intake.batch(9).is_empty());
}

/// A repeated R would make the ledger refuse the whole transaction, with everybody else's bids in it.
#[test]
fn a_repeated_handle_is_refused_before_it_sinks_a_block() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (first, mut second) = (w.bid(0, 1), w.bid(1, 2));
    second.r = first.r;
    let (account, owner) = (Account(second.account), Account(first.account));
    let repeated = Refusal::Rounds(RoundRefusal::HandleRepeated { round: 1, account, first: owner });
    let concluded = intake.conclude(vec![(first, Ok(())), (second, Ok(()))], NOW_MS, &mut w.rng);
    assert!(concluded.answers[0].1.is_ok());
    assert_eq!(concluded.answers[1].1, Err(repeated.into()));
    assert_eq!(concluded.admitted.len(), 1);
}

/// Threat: two members share an R. One's bid is brought to the ledger by another way, so that it refuses the other's: with a
/// receipt in hand that would look like censorship.
#[test]
fn an_r_that_the_ledger_has_gets_no_receipt() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (other, mut own) = (w.bid(1, 2), w.bid(0, 1));
    own.r = other.r;
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    w.community.submit(1, std::slice::from_ref(&other), &mut rng).expect("on the ledger");
    intake.advance(w.state());
    let concluded = intake.conclude(vec![(own.clone(), Ok(()))], NOW_MS, &mut w.rng);
    let (account, first) = (Account(own.account), Account(other.account));
    let repeated = Refusal::Rounds(RoundRefusal::HandleRepeated { round: 1, account, first });
    assert_eq!(concluded.answers, [(own.digest(), Err(repeated.into()))]);
    assert!(concluded.admitted.is_empty());
    // The bid that is there gets its receipt, under the same R.
    let concluded = intake.conclude(vec![(other, Ok(()))], NOW_MS, &mut w.rng);
    assert!(concluded.answers[0].1.is_ok() && concluded.admitted[0].on_ledger);
}

#[test]
fn no_promise_is_signed_after_the_close() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(0, 1);
    w.receive(&mut intake, &bid).expect("waits");
    w.community.finish_round(1).expect("void");
    intake.advance(w.state());
    let concluded = intake.conclude(vec![(bid, Ok(()))], NOW_MS, &mut w.rng);
    assert!(matches!(concluded.answers[0].1, Err(IntakeError::NotOpen { round_id: 1 })));
    assert!(concluded.admitted.is_empty());
}

#[test]
fn a_withdrawn_bid_may_come_again_and_another_one_may_take_its_place() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (bid, other) = (w.bid(0, 1), w.bid(0, 2));
    let first = w.admit(&mut intake, &bid);
    intake.withdraw(std::slice::from_ref(&first));
    assert!(matches!(w.receive(&mut intake, &other), Ok(Received::Waiting(_))));
    assert!(matches!(w.receive(&mut intake, &bid), Ok(Received::Waiting(_))));
    let concluded = w.conclude(&mut intake);
    assert_eq!(concluded.admitted.len(), 1);
    let second = receipt_of(&concluded);
    assert_eq!((second.bid_digest, second.sequence), (other.digest(), first.receipt.sequence + 1));
}

#[test]
fn after_a_restart_the_same_bytes_get_the_same_receipt_and_numbers_go_on() {
    let mut w = world();
    let mut intake = w.intake(40);
    let bids = [w.bid(0, 1), w.bid(1, 1), w.bid(2, 1)];
    let journal = [w.admit(&mut intake, &bids[0]), w.admit(&mut intake, &bids[1])];
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    w.community.submit(1, &bids[..1], &mut rng).expect("on the ledger");
    let (mut restored, promised) = w.restore(&journal).expect("its own journal");
    assert_eq!(promised, journal[1..], "what is not on the ledger yet");
    for one in &journal {
        assert_eq!(w.receive(&mut restored, &one.bid), Ok(Received::Repeated(one.receipt.clone())));
    }
    let other = w.bid(1, 2);
    assert!(matches!(w.receive(&mut restored, &other), Err(IntakeError::Ledger(rule)) if is_second(&rule)));
    assert_eq!(w.admit(&mut restored, &bids[2]).receipt.sequence, 43);
}

/// The journal holds what was written before its failure was known; only the later receipt has left.
#[test]
fn a_receipt_that_was_withdrawn_after_it_was_written_does_not_come_back() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (bid, other) = (w.bid(0, 1), w.bid(0, 2));
    let first = w.admit(&mut intake, &bid);
    intake.withdraw(std::slice::from_ref(&first));
    let second = w.admit(&mut intake, &other);
    let (mut restored, promised) = w.restore(&[second.clone(), first]).expect("its own journal");
    assert_eq!(promised, std::slice::from_ref(&second));
    assert_eq!(w.receive(&mut restored, &other), Ok(Received::Repeated(second.receipt)));
    assert!(matches!(w.receive(&mut restored, &bid), Err(IntakeError::Ledger(rule)) if is_second(&rule)));
}

#[test]
fn finished_rounds_of_a_journal_count_and_take_no_room() {
    let mut w = world();
    let mut intake = w.intake(6);
    let bid = w.bid(0, 1);
    let journal = [w.admit(&mut intake, &bid)];
    w.community.finish_round(1).expect("void");
    let (mut restored, promised) = w.restore(&journal).expect("its own journal");
    assert!(promised.is_empty());
    assert_eq!(restored.last_sequence(), 7);
    assert_eq!(restored.receive_bid(bid, NOW_MS), Err(IntakeError::NotOpen { round_id: 1 }));
}

#[test]
fn a_foreign_or_damaged_journal_is_refused() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (bid, second) = (w.bid(0, 1), w.bid(1, 1));
    let one = w.admit(&mut intake, &bid);
    let two = w.admit(&mut intake, &second);
    let refusal = |w: &World, journal: &[Admitted]| w.restore(journal).err();

    let mut altered = one.clone();
    altered.receipt.sequence = 9;
    assert!(matches!(refusal(&w, &[altered]), Some(RestoreError::Signature(_))));
    let swapped = Admitted { bid: second.clone(), ..one.clone() };
    assert_eq!(refusal(&w, &[swapped]), Some(RestoreError::OtherBid { sequence: 1 }));

    let key = w.receipt_key.clone();
    let issue = |ledger_id, bid: &SealedBid, rng: &mut ChaCha20Rng| {
        Receipt::issue(&key, ledger_id, 1, bid.account, bid.digest(), 1, rng)
    };
    let foreign = Admitted { receipt: issue([7; 32], &bid, &mut w.rng), ..one.clone() };
    assert_eq!(refusal(&w, &[foreign]), Some(RestoreError::OtherLedger { sequence: 1 }));
    let ledger_id = w.state().community().ledger_id();
    let twice = Admitted { receipt: issue(ledger_id, &second, &mut w.rng), ..two };
    assert_eq!(refusal(&w, &[one.clone(), twice]), Some(RestoreError::NumberRepeated { sequence: 1 }));
    assert_eq!(refusal(&w, &[one.clone(), one]), None, "the same entry twice is no contradiction");
}

/// The bid came onto the ledger by another node: it gets a receipt here too, and is not ordered again.
#[test]
fn a_bid_on_the_ledger_gets_a_receipt_and_is_marked() {
    let mut w = world();
    let (bid, other) = (w.bid(0, 1), w.bid(0, 2));
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    w.community.submit(1, std::slice::from_ref(&bid), &mut rng).expect("on the ledger");
    let mut intake = w.intake(41);
    assert!(matches!(w.receive(&mut intake, &other), Err(IntakeError::Ledger(rule)) if is_second(&rule)));
    let admitted = w.admit(&mut intake, &bid);
    assert_eq!((admitted.receipt.sequence, admitted.on_ledger), (42, true));
}

/// Keys come after block 0: until then nothing is decrypted or verified for anybody.
#[test]
fn before_the_keys_are_generated_nothing_is_taken() {
    let mut w = world();
    let bid = w.bid(0, 1);
    let state = State::from_genesis_block(w.genesis()).expect("genesis");
    let bytes = envelope_bytes(state.community().params());
    let mut intake = Intake::new(w.key(), w.receipt_key.clone(), state, 0);
    assert_eq!(intake.receive(&vec![0; bytes], NOW_MS), Err(IntakeError::KeysNotReady));
    assert_eq!(intake.receive_bid(bid, NOW_MS), Err(IntakeError::KeysNotReady));
}
