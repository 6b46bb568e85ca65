//! A validator's actor by itself: what a restart does, and what it refuses.

use crate::common::{config, records, replayed, run_quietly};
use actix::{Addr, Supervisor, System};
use rand_core::OsRng;
use std::path::Path;
use std::sync::Arc;
use veilgrid_actors::validator::{
    Acknowledgement, Finalise, Identify, Join, Journal, JournalError, Propose, StoreJournal, Tip,
    ValidatorActor, ValidatorFault,
};
use veilgrid_ledger::audit::Record;
use veilgrid_ledger::block::Block;
use veilgrid_roles::committee::{Keys, simulated_pace};
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

    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        if self.fails_at == Some(block.header.height) {
            (self.fails_at, self.failed) = (None, true);
            return Err(StoreError::DiskFull { path: "full".into() }.into());
        }
        self.inner.append(block, certificate)
    }
}

type Chain = Vec<(Block, Vec<u8>)>;

/// A day's ledger.
fn day() -> Chain {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run_quietly(config(dir.path()));
    let split = |record| match record {
        Record::Block(block, certificate) => (*block, certificate.unwrap_or_default()),
        _ => unreachable!("a day is not pruned"),
    };
    records(&report.store_dirs[0]).into_iter().map(split).collect()
}

/// A validator that follows, with the first three blocks in its store, which fails at block 3.
async fn start(dir: &Path, chain: &Chain, reopens: bool) -> Addr<ValidatorActor> {
    let inner = StoreJournal::new(dir.join("store"));
    let journal = Failing { inner, fails_at: Some(3), reopens, failed: false };
    let actor = ValidatorActor::with_keys(2, Keys::generate(&mut OsRng), Box::new(journal), simulated_pace());
    let validator = Supervisor::start(|_| actor);
    validator.send(Identify).await.expect("supervised").expect("an empty store");
    let genesis = Arc::new(chain[0].0.clone());
    validator.send(Join { genesis }).await.expect("supervised").expect("a sound genesis");
    for block in &chain[1..3] {
        finalise(&validator, block).await.expect("stored");
    }
    validator
}

async fn finalise(
    validator: &Addr<ValidatorActor>,
    (block, certificate): &(Block, Vec<u8>),
) -> Result<Acknowledgement, ValidatorFault> {
    let message = Finalise { block: Arc::new(block.clone()), certificate: Arc::new(certificate.clone()) };
    validator.send(message).await.expect("supervised")
}

async fn tip(validator: &Addr<ValidatorActor>) -> Acknowledgement {
    validator.send(Tip).await.expect("supervised").expect("a tip")
}

#[test]
fn a_validator_restarts_from_its_store_and_goes_on() {
    let own = tempfile::tempdir().expect("directory");
    let chain = day();
    let blocks: Vec<Block> = chain.iter().map(|(block, _)| block.clone()).collect();
    System::new().block_on(async {
        let validator = start(own.path(), &chain, true).await;
        let before = Acknowledgement::of(2, &replayed(&blocks[..3]));
        assert_eq!(tip(&validator).await, before);

        let fault = finalise(&validator, &chain[3]).await.expect_err("the store is full");
        assert!(
            matches!(&fault, ValidatorFault::Stopped { validator: 2, why } if why.contains("no space")),
            "{fault}"
        );
        assert_eq!(tip(&validator).await, before, "what is not on disk did not happen");

        for block in &chain[3..] {
            let acknowledged = finalise(&validator, block).await.expect("the disk has room again");
            assert_eq!(
                (acknowledged.height, acknowledged.block_hash),
                (block.0.header.height, block.0.hash())
            );
        }
        assert_eq!(tip(&validator).await, Acknowledgement::of(2, &replayed(&blocks)));
    });
    let (genesis, state) =
        veilgrid_actors::validator::replay(&mut StoreJournal::new(own.path().join("store")))
            .expect("replayed");
    assert_eq!((genesis.hash(), state.root()), (blocks[0].hash(), replayed(&blocks).root()));
}

#[test]
fn a_validator_whose_store_stays_away_is_down_and_says_why() {
    let own = tempfile::tempdir().expect("directory");
    let chain = day();
    System::new().block_on(async {
        let validator = start(own.path(), &chain, false).await;
        finalise(&validator, &chain[3]).await.expect_err("the store is full");
        let fault = finalise(&validator, &chain[3]).await.expect_err("the store does not open");
        assert!(
            matches!(&fault, ValidatorFault::Down { validator: 2, reason } if reason.contains("gone")),
            "{fault}"
        );
    });
}

#[test]
fn nothing_is_done_out_of_turn() {
    let own = tempfile::tempdir().expect("directory");
    let chain = day();
    System::new().block_on(async {
        let journal = Box::new(StoreJournal::new(own.path().join("another")));
        let candidate = Supervisor::start(|_| ValidatorActor::candidate(1, journal, simulated_pace()));
        let early = candidate.send(Propose { parent: [0; 32], now_unix_ms: 0 }).await.expect("supervised");
        assert!(matches!(early, Err(ValidatorFault::WrongTime { validator: 1, .. })));

        let validator = start(own.path(), &chain, true).await;
        let late = validator.send(Join { genesis: Arc::new(chain[0].0.clone()) }).await.expect("supervised");
        assert!(matches!(late, Err(ValidatorFault::WrongTime { validator: 2, .. })), "{late:?}");
        // A block that was there before changes nothing; a gap stops the validator, which comes back from its store.
        assert_eq!(finalise(&validator, &chain[1]).await.expect("known").height, 2);
        finalise(&validator, &chain[4]).await.expect_err("a gap");
        assert_eq!(tip(&validator).await.height, 2, "a refused block changes nothing");
        let uncertified = (chain[3].0.clone(), chain[4].1.clone());
        let fault = finalise(&validator, &uncertified).await.expect_err("another block's certificate");
        assert!(matches!(fault, ValidatorFault::NotFinal { validator: 2, .. }), "{fault}");
        assert_eq!(tip(&validator).await.height, 2, "and neither does one without its certificate");
    });
}
