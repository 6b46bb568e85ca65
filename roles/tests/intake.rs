//! What the aggregator's intake admits, and what becomes of receipts whose bids no block takes.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wallet::{Wallet, WalletSeed};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_market::{Grid, Rule};
use veilgrid_roles::intake::{Intake, IntakeError, Received};
use veilgrid_roles::local::{Founding, LocalCommunity, threshold_for};
use veilgrid_roles::member::envelope_for;

const EPOCH: u64 = 1;

struct World {
    rng: ChaCha20Rng,
    wallets: Vec<Wallet>,
    community: LocalCommunity,
    envelope_key: [u8; 32],
}

fn world() -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let wallets: Vec<Wallet> = (0..3).map(|_| Wallet::from_seed(&WalletSeed::generate(&mut rng))).collect();
    let params = MarketParams {
        grid: Grid::new(0, 1000, 2).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 3,
        slot_seconds: 900,
        threshold: threshold_for(4),
    };
    let members = wallets.iter().map(|wallet| wallet.account_key(EPOCH).verifying_key().to_bytes()).collect();
    let founding = Founding { params, validators: 4, members, key_epoch: EPOCH, time_unix_ms: 0 };
    let mut community = LocalCommunity::found(&founding, &mut rng).expect("founded");
    community.open_round(1, 900, 0).expect("open");
    let envelope_key = *EnvelopeKey::generate(&mut rng).to_bytes().expose();
    World { rng, wallets, community, envelope_key }
}

impl World {
    fn state(&self) -> State {
        self.community.state().clone()
    }
    fn intake(&mut self, last_sequence: u64) -> Intake {
        let receipt_key = SigningKey::generate(&mut self.rng);
        Intake::new(EnvelopeKey::from_bytes(&self.envelope_key), receipt_key, self.state(), last_sequence)
    }
    fn bid(&mut self, member: usize, quantity_wh: u64) -> SealedBid {
        let state = self.state();
        let context = state.round_context(1).expect("open");
        let quantities_wh = [quantity_wh, 0, 0, 0];
        seal_bid(
            state.community().bid_params(),
            &context,
            &self.wallets[member],
            &quantities_wh,
            &mut self.rng,
        )
        .expect("sealed")
    }
    fn receive(&mut self, intake: &mut Intake, bid: &SealedBid) -> Result<Received, IntakeError> {
        let key = EnvelopeKey::from_bytes(&self.envelope_key).public();
        let ledger_id = self.state().community().ledger_id();
        intake.receive(&envelope_for(&key, &ledger_id, bid, &mut self.rng))
    }
}

/// A repeated R would make the ledger refuse the whole block, with everybody else's bids in it.
#[test]
fn a_repeated_handle_is_refused_before_it_sinks_a_block() {
    let mut w = world();
    let mut intake = w.intake(0);
    let (first, mut second) = (w.bid(0, 1), w.bid(1, 2));
    second.r = first.r;
    let answers = intake.conclude(vec![(first, Ok(())), (second, Ok(()))], &mut w.rng);
    assert!(answers[0].1.is_ok());
    assert!(matches!(answers[1].1, Err(IntakeError::HandleRepeated { round_id: 1, .. })));
    assert_eq!(intake.take_admitted().len(), 1);
}

#[test]
fn a_bid_that_no_block_took_may_come_again_and_another_one_may_take_its_place() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(0, 1);
    assert!(matches!(w.receive(&mut intake, &bid), Ok(Received::Waiting(_))));
    let receipt = intake.conclude(vec![(bid.clone(), Ok(()))], &mut w.rng).remove(0).1.expect("admitted");
    assert_eq!(w.receive(&mut intake, &bid), Ok(Received::Repeated(receipt)));
    let other = w.bid(0, 2);
    assert!(matches!(w.receive(&mut intake, &other), Err(IntakeError::Conflict { .. })));
    let admitted = intake.take_admitted();
    intake.withdraw(&admitted);
    assert!(matches!(w.receive(&mut intake, &bid), Ok(Received::Waiting(_))));
    assert!(matches!(w.receive(&mut intake, &other), Ok(Received::Waiting(_))));
    let answers = intake.conclude(vec![(bid, Ok(())), (other, Ok(()))], &mut w.rng);
    assert!(answers[0].1.is_ok() && matches!(answers[1].1, Err(IntakeError::Conflict { .. })));
}

#[test]
fn after_a_restart_bids_on_the_ledger_are_known_and_receipts_go_on_counting() {
    let mut w = world();
    let (bid, other) = (w.bid(0, 1), w.bid(0, 2));
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    w.community.submit(1, std::slice::from_ref(&bid), 0, &mut rng).expect("on the ledger");
    let mut intake = w.intake(41);
    assert!(matches!(w.receive(&mut intake, &other), Err(IntakeError::Conflict { .. })));
    assert!(matches!(w.receive(&mut intake, &bid), Ok(Received::Waiting(_))));
    let receipt = intake.conclude(vec![(bid, Ok(()))], &mut w.rng).remove(0).1.expect("the same bid");
    assert_eq!(receipt.sequence, 42);
    assert!(intake.take_admitted().is_empty(), "it is on the ledger already");
}

#[test]
fn strangers_closed_rounds_and_foreign_envelopes_are_told_apart() {
    let mut w = world();
    let mut intake = w.intake(0);
    let mut stranger = w.bid(0, 1);
    stranger.account = SigningKey::generate(&mut w.rng).verifying_key().to_bytes();
    assert!(matches!(w.receive(&mut intake, &stranger), Err(IntakeError::NotAMember { .. })));
    let mut later = w.bid(0, 1);
    later.round_id = 2;
    assert_eq!(w.receive(&mut intake, &later), Err(IntakeError::NotOpen { round_id: 2 }));
    assert!(matches!(intake.receive(&[0; 100]), Err(IntakeError::Envelope(_))));
    let key = EnvelopeKey::from_bytes(&w.envelope_key).public();
    let ledger_id = w.state().community().ledger_id();
    let short = veilgrid_crypto::envelope::seal_envelope(&key, &ledger_id, 1, b"no bid", &mut w.rng);
    assert!(matches!(intake.receive(&short), Err(IntakeError::Malformed(_))));
    let bid = w.bid(0, 1);
    let moved = veilgrid_crypto::envelope::seal_envelope(&key, &ledger_id, 2, &bid.to_bytes(), &mut w.rng);
    assert_eq!(intake.receive(&moved), Err(IntakeError::RoundMismatch { envelope: 2, bid: 1 }));
}
