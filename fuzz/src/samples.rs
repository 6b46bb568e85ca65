//! True encodings of everything: a tiny community that traded one round and voided another.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::OnceLock;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::keygen::{DealerPackage, DealtShares, KeyGenContext, deal, receive};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::money::claim::Claim;
use veilgrid_crypto::money::rest::REST_PROOF_BYTES;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::offices::{AggregatorKeys, KeyReplacement, NewKeys};
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::treasury::{Deposit, Payment, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::money::withdrawal::{Withdrawal, WithdrawalTerms};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::roster::Endorsement;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_market::{Grid, Rule, clear_plain};
use veilgrid_roles::committee::{Founding, one_process_timing};
use veilgrid_roles::local::{LocalCommunity, RoundEnd};

const EPOCH: u64 = 5;
const VALIDATORS: u16 = 4;
const START_MS: u64 = 1_700_000_000_000;
const SLOT_START_UNIX_S: i64 = 1_700_000_100;

/// Quantities of the members: both sides, and a tick at which demand is long.
const BOOK: [[u64; 8]; 3] =
    [[40, 0, 0, 0, 0, 0, 0, 0], [0, 0, 30, 0, 0, 50, 0, 0], [0, 0, 0, 47, 0, 0, 0, 0]];

/// Encodings by what they are.
pub struct Samples {
    /// The session of the packages and shares.
    pub keygen: KeyGenContext,
    /// How later transactions are framed.
    pub later: DecodeContext,
    /// Sealed bids.
    pub bids: Vec<Vec<u8>>,
    /// Receipts for them.
    pub receipts: Vec<Vec<u8>>,
    /// Public packages of the key generation.
    pub packages: Vec<Vec<u8>>,
    /// What one dealer dealt.
    pub dealt: Vec<Vec<u8>>,
    /// What the validators keep.
    pub key_shares: Vec<Vec<u8>>,
    /// Shares of the first round's openings.
    pub opening_shares: Vec<Vec<u8>>,
    /// The genesis transaction.
    pub genesis: Vec<Vec<u8>>,
    /// Every other kind of transaction.
    pub transactions: Vec<Vec<u8>>,
    /// Block 0.
    pub genesis_block: Vec<Vec<u8>>,
    /// All other blocks.
    pub blocks: Vec<Vec<u8>>,
    /// Blocks whose bids were pruned.
    pub pruned_blocks: Vec<Vec<u8>>,
    /// The ledger as a file.
    pub file: Vec<Vec<u8>>,
    /// The ledger as a file with certificates, whole and with its bids pruned.
    pub certified_files: Vec<Vec<u8>>,
    /// Outcomes of both rules.
    pub outcomes: Vec<Vec<u8>>,
}

/// The samples, made once.
pub fn samples() -> &'static Samples {
    static SAMPLES: OnceLock<Samples> = OnceLock::new();
    SAMPLES.get_or_init(make)
}

fn make() -> Samples {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let keyrings: Vec<_> =
        BOOK.iter().map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
    let mut community = found(&keyrings, &mut rng);
    let (bids, receipts) = trade(&mut community, &keyrings, &mut rng);
    let genesis = community.state().community().genesis().clone();
    let (keygen, later) = (genesis.first_session().generation(), DecodeContext::of(&genesis));
    let (packages, dealt) = dealt(&keygen, &mut rng);
    let transactions: Vec<_> = community.blocks().flat_map(|block| &block.transactions).collect();
    let mut file = LedgerWriter::new(Vec::new()).expect("memory");
    for block in community.blocks() {
        file.block(block).expect("memory");
    }
    let root = community.state().root();
    let pruned_blocks = community.blocks().filter(|block| has_bids(block));
    let pruned_blocks = pruned_blocks.map(|block| PrunedBlock::of(block.clone()).to_bytes()).collect();
    let blocks: Vec<_> = community.blocks().map(|block| block.to_bytes()).collect();
    Samples {
        keygen,
        later,
        bids: bids.iter().map(SealedBid::to_bytes).collect(),
        receipts,
        packages: packages.iter().map(DealerPackage::to_bytes).collect(),
        dealt: dealt[0].iter().map(|shares| shares.to_bytes().expose().clone()).collect(),
        key_shares: (1..=VALIDATORS)
            .map(|receiver| {
                let shares = dealt.iter().map(|of| of[usize::from(receiver) - 1].clone());
                let shares = receive(&keygen, &packages, &shares.collect::<Vec<_>>(), receiver);
                shares.expect("true shares").to_bytes().expose().clone()
            })
            .collect(),
        opening_shares: transactions.iter().filter_map(|transaction| opening_share(transaction)).collect(),
        genesis: vec![transactions[0].to_bytes()],
        transactions: transactions[1..]
            .iter()
            .map(|transaction| transaction.to_bytes())
            .chain(of_members(community.state().community().params(), &keyrings, &mut rng))
            .chain(of_money(&mut rng))
            .collect(),
        genesis_block: blocks[..1].to_vec(),
        blocks: blocks[1..].to_vec(),
        pruned_blocks,
        file: vec![file.finish(root).expect("memory")],
        certified_files: [false, true].map(|prune| certified_file(&community, root, prune)).to_vec(),
        outcomes: outcomes(),
    }
}

/// Orders of a registrar and new keys, every kind of them. Decoders look at no signature.
fn of_members(params: &MarketParams, keyrings: &[Keyring], rng: &mut ChaCha20Rng) -> Vec<Vec<u8>> {
    let key = SigningKey::generate(rng);
    let accounts = keyrings.iter().map(|keyring| keyring.account_key(EPOCH).verifying_key().to_bytes());
    let mut certificates = Certificate::of_accounts(params, EPOCH, accounts);
    let last = &mut certificates[0];
    (last.credit_line, last.import_source, last.to_unix_s) = (Some([1; 32]), Some([2; 32]), Some(9));
    let update = (7, certificates[0].clone());
    let actions = [
        Action::Enrol(certificates),
        Action::Update(vec![update]),
        Action::Suspend(vec![1, 2]),
        Action::Leave(vec![3]),
    ];
    let orders = actions
        .map(|action| Transaction::Registrar(Box::new(RegistrarOrder::sign(&[4; 32], 5, action, &key, rng))));
    let endorsements = vec![Endorsement { validator: 1, signature: [6; 64] }];
    let keys = [
        NewKeys::Registrar([7; 32]),
        NewKeys::Aggregator(AggregatorKeys { receipt: [8; 32], envelope: [9; 32] }),
    ];
    let replacements = keys.map(|keys| {
        Transaction::ReplaceKeys(Box::new(KeyReplacement { keys, endorsements: endorsements.clone() }))
    });
    orders.iter().chain(&replacements).map(Transaction::to_bytes).collect()
}

/// Orders of a treasury, a withdrawal and claims. Decoders look at no proof.
fn of_money(rng: &mut ChaCha20Rng) -> Vec<Vec<u8>> {
    let key = SigningKey::generate(rng);
    let deposit = |number| Deposit { number, amount_ct: 500, reference: [1; 32] };
    let payment = |debit_sequence| Payment { number: 2, debit_sequence };
    let actions =
        [TreasuryAction::Deposit(vec![deposit(0), deposit(3)]), TreasuryAction::Paid(vec![payment(1)])];
    let orders = actions
        .map(|action| Transaction::Treasury(Box::new(TreasuryOrder::sign(&[4; 32], 5, action, &key, rng))));
    let terms = WithdrawalTerms { number: 1, debit_sequence: 2, amount_ct: 300, reference: [5; 32] };
    let proof = vec![6; REST_PROOF_BYTES];
    let withdrawal = Transaction::Withdraw(Box::new(Withdrawal { terms, proof, signature: [7; 64] }));
    let claim = Claim { points: vec![[8; 32]], announcements: [[9; 32], [10; 32]], response: [11; 32] };
    let claims = Transaction::Claims(Claims { round_id: 1, claims: vec![(1, claim.clone()), (3, claim)] });
    orders.iter().chain([&withdrawal, &claims]).map(Transaction::to_bytes).collect()
}

/// A key generation as its dealers make it: packages, and what each of them has dealt to each receiver.
fn dealt(context: &KeyGenContext, rng: &mut ChaCha20Rng) -> (Vec<DealerPackage>, Vec<Vec<DealtShares>>) {
    let deal_one = |dealer| deal(context, &SigningKey::generate(rng), dealer, rng).expect("dealt");
    (1..=VALIDATORS).map(deal_one).unzip()
}

fn has_bids(block: &Block) -> bool {
    block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. }))
}

fn certified_file(community: &LocalCommunity, root: [u8; 32], prune: bool) -> Vec<u8> {
    let mut file = LedgerWriter::new(Vec::new()).expect("memory");
    for (block, certificate) in community.ledger() {
        if prune && has_bids(block) {
            file.pruned(&PrunedBlock::of(block.clone())).expect("memory");
        } else {
            file.block(block).expect("memory");
        }
        if let Some(certificate) = certificate {
            file.certificate(certificate).expect("memory");
        }
    }
    file.finish(root).expect("memory")
}

fn found(keyrings: &[Keyring], rng: &mut ChaCha20Rng) -> LocalCommunity {
    let timing = one_process_timing(START_MS, SLOT_START_UNIX_S, 900);
    let params = MarketParams {
        grid: Grid::new(10_000, 1_000, 4).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: 900,
        threshold: 3,
        timing,
        capacity_classes: CapacityClasses::of_connections(900),
        money: None,
    };
    let members =
        keyrings.iter().map(|keyring| keyring.account_key(EPOCH).verifying_key().to_bytes()).collect();
    let time_unix_ms = Founding::genesis_time_ms(&timing);
    let founding = Founding { params, validators: VALIDATORS, members, key_epoch: EPOCH, time_unix_ms };
    LocalCommunity::found(&founding, rng).expect("a sound community")
}

/// Round 1 with everybody's bid, round 2 with none.
fn trade(
    community: &mut LocalCommunity,
    keyrings: &[Keyring],
    rng: &mut ChaCha20Rng,
) -> (Vec<SealedBid>, Vec<Vec<u8>>) {
    community.open_round().expect("opened");
    let verified = community.state().community();
    let context = community.state().round_context(1).expect("open");
    let bids: Vec<_> = keyrings
        .iter()
        .zip(&BOOK)
        .map(|(keyring, book)| seal_bid(verified.bid_params().expect("keys"), &context, keyring, book, rng))
        .collect::<Result<_, _>>()
        .expect("sealed");
    let receipts = community.submit(1, &bids, rng).expect("taken in");
    let end = community.finish_round(1).expect("finished");
    assert!(matches!(end, RoundEnd::Settled(_)), "the sample has every transaction of a round");
    community.open_round().expect("opened");
    let end = community.finish_round(2).expect("finished");
    assert!(matches!(end, RoundEnd::Voided(_)), "the sample has a void");
    (bids, receipts.iter().map(|receipt| receipt.to_bytes()).collect())
}

fn opening_share(transaction: &Transaction) -> Option<Vec<u8>> {
    match transaction {
        Transaction::OpeningShare { share, .. } => Some(share.to_bytes()),
        _ => None,
    }
}

/// Outcomes with and without a trade and a volume, with nobody, demand and supply rationed.
fn outcomes() -> Vec<Vec<u8>> {
    let grid = Grid::new(1_000, 100, 4).expect("grid");
    let books: [[u64; 8]; 4] = [
        [3, 0, 4, 5, 0, 6, 0, 0],
        [3, 0, 9, 5, 0, 2, 0, 0],
        [3, 0, 0, 0, 0, 3, 0, 0],
        [0, 3, 0, 0, 0, 0, 2, 0],
    ];
    let rules = [(Rule::Uniform, true), (Rule::Uniform, false), (Rule::TradeReduction, true)];
    let clear = |totals: &[u64; 8], (rule, open_volume)| {
        clear_plain(&grid, rule, open_volume, totals).expect("cleared").outcome.to_bytes()
    };
    books.iter().flat_map(|totals| rules.map(|rule| clear(totals, rule))).collect()
}
