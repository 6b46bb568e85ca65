//! A validator's actor by itself: what a restart does, and what it refuses.

mod common;

use actix::{Addr, Supervisor, System};
use common::{blocks, config, replayed, run_quietly};
use rand_core::OsRng;
use std::path::Path;
use std::sync::Arc;
use veilgrid_actors::validator::{
    Acknowledgement, BlockFinal, DeliverBlock, Journal, JournalError, StoreJournal, Tip, ValidatorActor,
    ValidatorFault,
};
use veilgrid_crypto::keygen::{KeyGenContext, KeyShares, deal, receive};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_store::StoreError;

/// A store that fails at one block, once, and may not open again afterwards.
struct Failing {
    inner: StoreJournal,
    fails_at: Option<u64>,
    reopens: bool,
    failed: bool,
}

impl Journal for Failing {
    fn open(
        &mut self,
        visit: &mut dyn FnMut(Block) -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        if self.failed && !self.reopens {
            return Err(StoreError::DiskFull { path: "gone".into() }.into());
        }
        self.inner.open(visit)
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        if self.fails_at == Some(block.header.height) {
            (self.fails_at, self.failed) = (None, true);
            return Err(StoreError::DiskFull { path: "full".into() }.into());
        }
        self.inner.append(block)
    }
}

/// Shares of some keys; following a ledger does not use them.
fn some_shares() -> KeyShares {
    let context = KeyGenContext { ledger_id: [1; 32], session: 1, validators: 2, threshold: 2, keys: 1 };
    let (packages, dealt): (Vec<_>, Vec<_>) = (1..=2)
        .map(|dealer| deal(&context, &SigningKey::generate(&mut OsRng), dealer, &mut OsRng).expect("dealt"))
        .unzip();
    let mine: Vec<_> = dealt.into_iter().flatten().filter(|shares| shares.receiver == 2).collect();
    receive(&context, &packages, &mine, 2).expect("shares")
}

/// A validator with the first three blocks in its store, which fails at block 3.
fn start(dir: &Path, chain: &[Block], reopens: bool) -> Addr<ValidatorActor> {
    let mut inner = StoreJournal::new(dir.join("store"));
    inner.open_empty().expect("a new store");
    chain[..3].iter().for_each(|block| inner.append(block).expect("stored"));
    let journal = Failing { inner, fails_at: Some(3), reopens, failed: false };
    let actor = ValidatorActor::resume(some_shares(), Box::new(journal)).expect("replayed");
    Supervisor::start(|_| actor)
}

async fn deliver(validator: &Addr<ValidatorActor>, block: &Block) -> Result<Acknowledgement, ValidatorFault> {
    validator.send(DeliverBlock(Arc::new(block.clone()))).await.expect("supervised")
}

#[test]
fn a_validator_restarts_from_its_store_and_goes_on() {
    let (day, own) = (tempfile::tempdir().expect("directory"), tempfile::tempdir().expect("directory"));
    let (report, _) = run_quietly(config(day.path()));
    let chain = blocks(&report.store_dirs[0]);
    System::new().block_on(async {
        let validator = start(own.path(), &chain, true);
        let before = Acknowledgement::of(2, &replayed(&chain[..3]));
        let tip = async || validator.send(Tip).await.expect("supervised").expect("a tip");
        assert_eq!(tip().await, before);

        let fault = deliver(&validator, &chain[3]).await.expect_err("the store is full");
        assert!(matches!(fault, ValidatorFault::Store { validator: 2, .. }), "{fault}");
        assert_eq!(tip().await, before, "what is not on disk did not happen");

        for block in &chain[3..] {
            let acknowledged = deliver(&validator, block).await.expect("the disk has room again");
            assert_eq!((acknowledged.height, acknowledged.block_hash), (block.header.height, block.hash()));
        }
        assert_eq!(tip().await.state_root, report.tip.state_root);
    });
    System::new().block_on(async {
        let stored = StoreJournal::new(own.path().join("store"));
        let again = ValidatorActor::resume(some_shares(), Box::new(stored)).expect("replayed");
        let tip = Supervisor::start(|_| again).send(Tip).await.expect("supervised").expect("a tip");
        assert_eq!((tip.height, tip.state_root), (report.tip.height, report.tip.state_root));
    });
}

#[test]
fn a_validator_whose_store_stays_away_is_down_and_says_why() {
    let (day, own) = (tempfile::tempdir().expect("directory"), tempfile::tempdir().expect("directory"));
    let (report, _) = run_quietly(config(day.path()));
    let chain = blocks(&report.store_dirs[0]);
    System::new().block_on(async {
        let validator = start(own.path(), &chain, false);
        deliver(&validator, &chain[3]).await.expect_err("the store is full");
        let fault = deliver(&validator, &chain[3]).await.expect_err("the store does not open");
        assert!(
            matches!(&fault, ValidatorFault::Down { validator: 2, reason } if reason.contains("gone")),
            "{fault}"
        );
    });
}

#[test]
fn shares_are_released_for_the_own_last_block_only() {
    let (day, own) = (tempfile::tempdir().expect("directory"), tempfile::tempdir().expect("directory"));
    let (report, _) = run_quietly(config(day.path()));
    let chain = blocks(&report.store_dirs[0]);
    System::new().block_on(async {
        let validator = start(own.path(), &chain, true);
        let finalise = async |height: u64, block_hash: [u8; 32]| {
            validator.send(BlockFinal { height, block_hash }).await.expect("supervised")
        };
        for (height, hash) in [(1, chain[1].hash()), (3, chain[3].hash()), (2, [0; 32])] {
            let fault = finalise(height, hash).await.expect_err("not its last block");
            assert!(matches!(fault, ValidatorFault::NotItsTip { last: 2, .. }), "{fault}");
        }
        assert!(finalise(2, chain[2].hash()).await.expect("its last block").is_empty());

        let fault = deliver(&validator, &chain[4]).await.expect_err("a gap");
        assert!(matches!(fault, ValidatorFault::Refused(_)), "{fault}");
        let tip = validator.send(Tip).await.expect("supervised").expect("a tip");
        assert_eq!(tip.height, 2, "a refused block changes nothing");
    });
}
