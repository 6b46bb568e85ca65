//! What members do on the ledger in memory, and a round from its opening to its end.

use super::*;

/// Members.
impl World {
    /// Somebody who is no member yet, with a certificate.
    pub fn newcomer(&mut self, point: u8) -> (Keyring, Certificate) {
        let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut self.rng));
        let params = self.state.community().params();
        let certificate = Certificate::unlimited(params, EPOCH, account(&keyring), [point; 32]);
        (keyring, certificate)
    }

    /// The registrar's next order.
    pub fn order(&mut self, action: Action) -> RegistrarOrder {
        let (id, sequence) = (self.state.community().ledger_id(), self.state.members().sequence());
        RegistrarOrder::sign(&id, sequence, action, &registrar_key(), &mut self.rng)
    }

    pub fn ordered(&mut self, action: Action) -> Transaction {
        Transaction::Registrar(Box::new(self.order(action)))
    }

    /// New keys of an office, signed by the validators with these numbers, who are the first people.
    pub fn replacement(&mut self, keys: NewKeys, signers: &[u16]) -> KeyReplacement {
        let id = self.state.community().ledger_id();
        let context = self.state.replacement_context(&id);
        let key = |number: &u16| &self.validators[usize::from(*number) - 1].key;
        let endorse = |n: &u16| KeyReplacement::endorse(&context, &keys, *n, key(n), &mut self.rng);
        KeyReplacement { keys, endorsements: signers.iter().map(endorse).collect() }
    }
}

/// Rounds.
impl World {
    pub fn open(&self, round_id: u64) -> Transaction {
        let slot_seconds = self.state.community().params().slot_seconds;
        let slot_start_unix_s = self.timing().slot_start_unix_s(round_id, slot_seconds).expect("a slot");
        Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds }
    }

    pub fn bids(&mut self, round_id: u64, book: &[[u64; 8]]) -> Transaction {
        let community = self.state.community();
        let round = self.state.round_context(round_id).expect("an open round");
        let params = community.bid_params().expect("keys");
        let pairs = self.keyrings.iter().zip(book);
        let bids = pairs.map(|(w, q)| seal_bid(params, &round, w, q, &mut self.rng).expect("bid")).collect();
        Transaction::Bids { round_id, bids }
    }

    pub fn ms(&self, of: fn(&RoundTiming, u64) -> Option<u64>, round_id: u64) -> u64 {
        of(&self.timing(), round_id).expect("in the calendar")
    }

    pub fn account(&self, member: usize) -> [u8; 32] {
        account(&self.keyrings[member])
    }

    /// A bid for a round, which need not be open (any more).
    pub fn bid(&mut self, round_id: u64, member: usize, quantities_wh: &[u64]) -> SealedBid {
        let community = self.state.community();
        let seconds = community.params().slot_seconds;
        let start_unix_s = self.timing().slot_start_unix_s(round_id, seconds).expect("a slot");
        let context = community.round_context(round_id, Slot { start_unix_s, seconds });
        let params = community.bid_params().expect("keys");
        seal_bid(params, &context, &self.keyrings[member], quantities_wh, &mut self.rng).expect("bid")
    }

    pub fn receipt(&mut self, bid: &SealedBid) -> Receipt {
        let id = self.state.community().ledger_id();
        Receipt::issue(&receipt_key(), id, bid.round_id, bid.account, bid.digest(), 1, &mut self.rng)
    }

    /// Opens a round at its time.
    pub fn open_round(&mut self, round_id: u64) {
        self.due_at(self.ms(RoundTiming::open_ms, round_id));
    }

    /// Opens a round and takes the whole book.
    pub fn bidding(&mut self, round_id: u64) {
        self.bidding_of(round_id, &BOOK);
    }

    pub fn bidding_of(&mut self, round_id: u64, book: &[[u64; 8]]) {
        self.open_round(round_id);
        let bids = self.bids(round_id, book);
        self.push(vec![bids]);
    }

    /// The same, with its grace over and closed: it waits for shares.
    pub fn opening(&mut self, round_id: u64) {
        self.bidding(round_id);
        self.close(round_id);
    }

    pub fn opening_of(&mut self, round_id: u64, book: &[[u64; 8]]) {
        self.bidding_of(round_id, book);
        self.close(round_id);
    }

    /// Blocks at the close of a round until it is closed.
    pub fn close(&mut self, round_id: u64) {
        self.due_at(self.ms(RoundTiming::close_ms, round_id));
        while self.state.round(round_id).is_some_and(|round| round.takes_bids()) {
            self.due_at(self.state.time_unix_ms());
        }
    }

    /// The share that a request asks a validator for.
    pub fn share(&mut self, request: &ShareRequest, validator: u16) -> OpeningShare {
        let keys = self.state.community().keys().expect("keys").clone();
        let mut holding = self.validators.iter().filter_map(|v| v.shares.as_ref().map(|(_, shares)| shares));
        let shares = holding.find(|shares| shares.index() == validator).expect("a holder of shares");
        release_share(&request.context, &request.weights, shares, &keys, &request.r_total, &mut self.rng)
            .expect("share")
    }

    /// The shares that a request asks for, of everybody who holds some.
    pub fn shares(&mut self, round_id: u64, request: &ShareRequest) -> Vec<Transaction> {
        let keys = self.state.community().keys().expect("keys").clone();
        let holding = self.validators.iter().filter_map(|v| v.shares.as_ref().map(|(_, shares)| shares));
        let wanted = holding.filter(|shares| keys.matches(shares) && !request.have.contains(&shares.index()));
        wanted
            .take(request.missing.into())
            .map(|shares| Transaction::OpeningShare {
                round_id,
                opening_index: request.context.opening_index,
                share: release_share(
                    &request.context,
                    &request.weights,
                    shares,
                    &keys,
                    &request.r_total,
                    &mut self.rng,
                )
                .expect("share"),
            })
            .collect()
    }

    /// What an opened round waits for.
    pub fn next(&mut self, round_id: u64) -> Vec<Transaction> {
        match self.state.expected(round_id).expect("expected") {
            Expected::NotOpened | Expected::Done | Expected::Bids { .. } => Vec::new(),
            Expected::Void { reason } => vec![Transaction::Void { round_id, reason }],
            Expected::Shares(request) => self.shares(round_id, &request),
            Expected::Value { opening_index, opened, bound_wh, .. } => {
                let value_wh = SmallLog::new(bound_wh).solve(&opened).expect("a small value");
                vec![Transaction::OpenedValue { round_id, opening_index, value_wh }]
            }
            Expected::Clear { outcome } => vec![Transaction::Clear { round_id, outcome }],
            Expected::Settle { .. } => {
                vec![Transaction::Settle {
                    round_id,
                    points: self.state.settlement_points(round_id).expect("settling"),
                }]
            }
        }
    }

    /// Blocks of one moment until the round waits for what is wanted, or is finished.
    pub fn until(&mut self, round_id: u64, wanted: impl Fn(&Expected) -> bool) {
        loop {
            let expected = self.state.expected(round_id).expect("expected");
            if wanted(&expected) || expected == Expected::Done {
                return;
            }
            let transactions = self.next(round_id);
            assert!(!transactions.is_empty(), "nobody can do what the round waits for");
            self.at(self.state.time_unix_ms(), transactions);
        }
    }

    /// A block with what the round waits for; false when it is finished.
    pub fn advance(&mut self, round_id: u64) -> bool {
        let transactions = self.next(round_id);
        if transactions.is_empty() {
            return false;
        }
        self.at(self.state.time_unix_ms(), transactions);
        true
    }

    /// A whole round; returns how it ended.
    pub fn round(&mut self, round_id: u64) -> Effect {
        self.opening(round_id);
        self.finish(round_id)
    }

    pub fn finish(&mut self, round_id: u64) -> Effect {
        self.until(round_id, |_| false);
        let last = self.effects.last().and_then(|block| block.effects.last());
        last.expect("an ending").clone()
    }
}
