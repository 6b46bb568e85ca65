//! A community in memory: four validators of which three open, a few wallets, a market of four prices.
#![allow(dead_code, reason = "each test file uses a part")]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::keygen::{DealtShares, KeyShares, deal, receive};
use veilgrid_crypto::opening::{OpeningShare, release_share};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::wallet::{Wallet, WalletSeed};
use veilgrid_ledger::audit::{AuditError, AuditReport, AuditRequest, Violation, audit, audit_export};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::{genesis_block, propose};
use veilgrid_ledger::export::{LedgerReader, LedgerWriter};
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis, GenesisDraft};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::{BlockFault, Refusal};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};

pub const EPOCH: u64 = 5;
pub const VALIDATORS: u16 = 4;
pub const SLOT_SECONDS: u32 = 900;
pub const START_MS: u64 = 1_700_000_000_000;
/// Sells at the ticks 0 and 1, buys at 2 and 1 (step 2j sells at tick j, step 2j + 1 buys): tick 1 is marginal.
pub const BOOK: [[u64; 8]; 4] = [
    [40, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 30, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 50, 0, 0],
    [0, 0, 0, 7, 0, 0, 0, 0],
];

pub struct Community {
    pub rng: ChaCha20Rng,
    pub validators: Vec<SigningKey>,
    pub shares: Vec<KeyShares>,
    /// In the order of the member list.
    pub wallets: Vec<Wallet>,
    pub receipt_key: SigningKey,
    pub genesis: Genesis,
}

pub fn params(rule: Rule, open_volume: bool) -> MarketParams {
    MarketParams {
        grid: Grid::new(10_000, 1_000, 4).expect("grid"),
        bits: 8,
        rule,
        open_volume,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: SLOT_SECONDS,
        threshold: 3,
        timing: None,
    }
}

impl Community {
    pub fn new() -> Self {
        Self::with(params(Rule::Uniform, true), 4, 1)
    }

    pub fn with(params: MarketParams, members: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let validators: Vec<_> = (0..VALIDATORS).map(|_| SigningKey::generate(&mut rng)).collect();
        let receipt_key = SigningKey::generate(&mut rng);
        let mut wallets: Vec<_> =
            (0..members).map(|_| Wallet::from_seed(&WalletSeed::generate(&mut rng))).collect();
        wallets.sort_by_key(account);
        let draft = GenesisDraft {
            format_version: FORMAT_VERSION,
            nonce: [9; 32],
            params,
            validators: validators.iter().map(|key| key.verifying_key().to_bytes()).collect(),
            aggregator_receipt_key: receipt_key.verifying_key().to_bytes(),
            aggregator_envelope_key: [3; 32],
            members: wallets.iter().map(account).collect(),
            key_epoch: EPOCH,
            keygen_session: 1,
            network: None,
        };
        let ctx = draft.keygen_context();
        let (packages, dealt): (Vec<_>, Vec<_>) = (1..=VALIDATORS)
            .zip(&validators)
            .map(|(dealer, key)| deal(&ctx, key, dealer, &mut rng).expect("deal"))
            .unzip();
        let shares = (1..=VALIDATORS)
            .map(|me| {
                let mine: Vec<DealtShares> = dealt
                    .iter()
                    .flatten()
                    .filter(|share: &&DealtShares| share.receiver == me)
                    .cloned()
                    .collect();
                receive(&ctx, &packages, &mine, me).expect("shares")
            })
            .collect();
        let genesis = Genesis::new(draft, packages).expect("genesis");
        Self { rng, validators, shares, wallets, receipt_key, genesis }
    }

    pub fn account(&self, member: usize) -> [u8; 32] {
        account(&self.wallets[member])
    }

    pub fn bid(&mut self, state: &State, round_id: u64, member: usize, quantities_wh: &[u64]) -> SealedBid {
        let community = state.community();
        // A test may seal for a round that is not open (any more): the usual slot then.
        let usual = Slot { start_unix_s: slot_start(round_id), seconds: SLOT_SECONDS };
        let slot = state.round(round_id).map_or(usual, |round| round.slot());
        let context = community.round_context(round_id, slot);
        seal_bid(
            community.bid_params().expect("keys"),
            &context,
            &self.wallets[member],
            quantities_wh,
            &mut self.rng,
        )
        .expect("bid")
    }

    pub fn share(&mut self, state: &State, request: &ShareRequest, validator: u16) -> OpeningShare {
        let shares = &self.shares[usize::from(validator) - 1];
        let keys = state.community().keys().expect("keys");
        release_share(&request.context, &request.weights, shares, keys, &request.r_total, &mut self.rng)
            .expect("share")
    }

    pub fn receipt(&mut self, state: &State, bid: &SealedBid) -> Receipt {
        let id = state.community().ledger_id();
        Receipt::issue(&self.receipt_key, id, bid.round_id, bid.account, bid.digest(), 1, &mut self.rng)
    }

    /// The transactions that the round waits for, by validators 1 to 3.
    pub fn next(&mut self, state: &State, round_id: u64) -> Vec<Transaction> {
        match state.expected(round_id).expect("expected") {
            Expected::NotOpened | Expected::Done => vec![],
            Expected::Bids { .. } => vec![Transaction::CloseRound { round_id }],
            Expected::Void { reason } => vec![Transaction::Void { round_id, reason }],
            Expected::Shares(request) => (1..=VALIDATORS)
                .filter(|validator| !request.have.contains(validator))
                .take(usize::from(request.missing))
                .map(|validator| Transaction::OpeningShare {
                    round_id,
                    opening_index: request.context.opening_index,
                    share: self.share(state, &request, validator),
                })
                .collect(),
            Expected::Value { opening_index, opened, bound_wh, .. } => {
                let value_wh = SmallLog::new(bound_wh).solve(&opened).expect("a small value");
                vec![Transaction::OpenedValue { round_id, opening_index, value_wh }]
            }
            Expected::Clear { outcome } => vec![Transaction::Clear { round_id, outcome }],
            Expected::Settle { .. } => {
                let points = state.settlement_points(round_id).expect("a settling round");
                vec![Transaction::Settle { round_id, points }]
            }
        }
    }
}

pub fn account(wallet: &Wallet) -> [u8; 32] {
    wallet.account_key(EPOCH).verifying_key().to_bytes()
}

/// The slot that [`open_round`] opens a round for.
pub fn slot_start(round_id: u64) -> i64 {
    1_700_000_100 + i64::from(SLOT_SECONDS) * i64::try_from(round_id).expect("small")
}

pub fn open_round(round_id: u64) -> Transaction {
    let slot_start_unix_s = slot_start(round_id);
    Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds: SLOT_SECONDS }
}

/// A ledger that grows by one block at a time.
pub struct Chain {
    pub state: State,
    pub blocks: Vec<Block>,
    pub effects: Vec<Effect>,
}

impl Chain {
    pub fn new(community: &Community) -> Self {
        let block = genesis_block(community.genesis.clone(), START_MS);
        let state = State::from_genesis_block(&block).expect("genesis");
        Self { state, blocks: vec![block], effects: vec![] }
    }

    pub fn push(&mut self, transactions: Vec<Transaction>) {
        let time = START_MS + 1_000 * self.blocks.len() as u64;
        let (block, state, effects) =
            propose(&self.state, transactions, time, &mut VerifyAll).expect("accepted");
        self.state = state;
        self.blocks.push(block);
        self.effects.extend(effects.effects);
    }

    /// The refusal of a transaction in the next block, which must leave the state as it was.
    pub fn refusal(&self, transaction: Transaction) -> Refusal {
        let mut state = self.state.clone();
        let single = state.apply_transaction(&transaction, &mut VerifyAll).expect_err("refused");
        assert_eq!(state.root(), self.state.root(), "a refused transaction has an effect");
        let error = propose(&self.state, vec![transaction], 0, &mut VerifyAll).err().expect("refused");
        assert_eq!((error.height, error.transaction), (self.state.height() + 1, Some(0)));
        assert_eq!(error.fault, BlockFault::from(single.clone()));
        single
    }

    /// A round with these bids up to its close.
    pub fn bid_and_close(&mut self, community: &mut Community, round_id: u64, book: &[[u64; 8]]) {
        self.push(vec![open_round(round_id)]);
        let bids: Vec<_> = book
            .iter()
            .enumerate()
            .map(|(member, quantities)| community.bid(&self.state, round_id, member, quantities))
            .collect();
        if !bids.is_empty() {
            self.push(vec![Transaction::Bids { round_id, bids }]);
        }
        self.push(vec![Transaction::CloseRound { round_id }]);
    }

    /// Whatever the round waits for, until it is finished.
    pub fn finish(&mut self, community: &mut Community, round_id: u64) {
        while self.step(community, round_id) {}
    }

    /// The next transactions of a round; false when it is finished.
    pub fn step(&mut self, community: &mut Community, round_id: u64) -> bool {
        let transactions = community.next(&self.state, round_id);
        if transactions.is_empty() {
            return false;
        }
        self.push(transactions);
        true
    }

    /// Steps until the round waits for something that `wanted` accepts.
    pub fn until(&mut self, community: &mut Community, round_id: u64, wanted: impl Fn(&Expected) -> bool) {
        while !wanted(&self.state.expected(round_id).expect("expected")) {
            assert!(self.step(community, round_id), "the round ended before");
        }
    }

    pub fn whole_round(&mut self, community: &mut Community, round_id: u64, book: &[[u64; 8]]) {
        self.bid_and_close(community, round_id, book);
        self.finish(community, round_id);
    }

    pub fn export(&self) -> Vec<u8> {
        export(&self.blocks, self.state.root())
    }
}

pub fn export(blocks: &[Block], state_root: [u8; 32]) -> Vec<u8> {
    let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
    for block in blocks {
        writer.block(block).expect("memory");
    }
    writer.finish(state_root).expect("memory")
}

/// A finished round of [`BOOK`].
pub fn finished() -> (Community, Chain) {
    let mut community = Community::new();
    let mut chain = Chain::new(&community);
    chain.whole_round(&mut community, 1, &BOOK);
    (community, chain)
}

pub fn audit_blocks(blocks: &[Block]) -> Result<AuditReport, Violation> {
    let request = AuditRequest { trusted_genesis: Some(blocks[0].hash()), ..AuditRequest::default() };
    let blocks = blocks.iter().cloned().map(Ok::<_, std::convert::Infallible>);
    audit(blocks, request, |_| {}).map_err(|error| match error {
        AuditError::Violation(violation) => violation,
        AuditError::Read { source, .. } => match source {},
    })
}

pub fn audit_file(bytes: &[u8], request: AuditRequest) -> Result<AuditReport, String> {
    let reader = LedgerReader::new(bytes).map_err(|error| error.to_string())?;
    audit_export(reader, request, |_| {}).map_err(|error| error.to_string())
}

/// Rebuilds a chain from changed transactions the way an attacker would: every body hash, parent hash and state root
/// is computed anew, for as long as the state machine goes along.
pub fn forge(blocks: &[Block], change: impl FnOnce(&mut Vec<Vec<Transaction>>)) -> Vec<Block> {
    let mut bodies: Vec<Vec<Transaction>> = blocks.iter().map(|block| block.transactions.clone()).collect();
    change(&mut bodies);
    let mut forged = vec![blocks[0].clone()];
    let mut state = State::from_genesis_block(&blocks[0]).expect("the genesis stays");
    for (body, original) in bodies.into_iter().zip(blocks).skip(1) {
        let parent = forged.last().expect("a parent");
        let (height, time) = (parent.header.height + 1, original.header.time_unix_ms);
        let block = Block::new(height, parent.hash(), time, state.root(), body);
        // After a refused block nobody knows a right root; the audit has ended by then.
        let _ = state.apply_block(&block, &mut VerifyAll);
        forged.push(block);
    }
    forged
}
