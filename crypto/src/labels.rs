//! Every domain-separation label of the protocol, in one place.
//!
//! Labels are versioned apart from the crate: they change only when the protocol does. `protocol-spec/` lists the
//! same strings and a test compares the two (`tests/labels.rs`).

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &[u8] = $text;)*
        /// All labels with their constant's name, in the order of the specification's table.
        pub const ALL: &[(&str, &[u8])] = &[$((stringify!($name), $text)),*];
    };
}

/// Version of the protocol that every context absorbs first.
pub const PROTOCOL_VERSION: u16 = 1;

labels! {
    /// Hash-to-group label of the value base V.
    BASE_VALUE = b"veilgrid/1/base/value";
    /// Hash-to-group label of the blinding base B of the proofs.
    BASE_BLINDING = b"veilgrid/1/base/blinding";
    /// Digest of everything static that a bid is proved against (bases, bits, keys, market parameters).
    PARAMS_DIGEST = b"veilgrid/1/params";
    /// Mark of the account key Y_0 inside of that digest, in a market whose bids have money.
    ACCOUNT_KEY = b"veilgrid/1/params/account-key";
    /// Transcript of a sealed bid with money; digest of cost weights.
    BID_WITH_MONEY = b"veilgrid/1/bid-with-money";
    /// HKDF info of the blinding of a bid's cost.
    BID_COST = b"veilgrid/1/bid/cost";
    /// Transcript of a sealed bid (proof, note and signature).
    BID = b"veilgrid/1/bid";
    /// Digest that names a sealed bid (receipts, verdict cache, bid set).
    BID_DIGEST = b"veilgrid/1/bid-digest";
    /// Transcript that yields the weights of a batch verification.
    BATCH = b"veilgrid/1/batch";
    /// Running digest over the bids of a round in ledger order.
    BID_SET = b"veilgrid/1/bid-set";
    /// Transcript of an opening share's proof of equal discrete logarithms.
    OPENING_SHARE = b"veilgrid/1/opening-share";
    /// Transcript of a dealer's proof of knowledge in key generation.
    KEYGEN_PROOF = b"veilgrid/1/keygen/proof";
    /// Transcript of a dealer's signature over its whole package.
    KEYGEN_PACKAGE = b"veilgrid/1/keygen/package";
    /// Transcript that yields the weights of the check of received shares.
    KEYGEN_SHARES = b"veilgrid/1/keygen/shares";
    /// Transcript of a receiver's signature under its one-time key for dealt shares.
    KEYGEN_ANNOUNCEMENT = b"veilgrid/1/keygen/announcement";
    /// Transcript of a dealer's signature over the sealed shares of all receivers.
    KEYGEN_DELIVERY = b"veilgrid/1/keygen/delivery";
    /// HPKE info prefix of the shares that a dealer sends to one receiver.
    KEYGEN_SEALED = b"veilgrid/1/keygen/sealed";
    /// Transcript of a dealer's signature over its package of a refresh or resharing.
    KEYGEN_RENEWAL = b"veilgrid/1/keygen/renewal";
    /// Digest that names a dealer's package within a session.
    KEYGEN_PACKAGE_DIGEST = b"veilgrid/1/keygen/package-digest";
    /// Transcript of a receiver's signature under its acknowledgement or complaints.
    KEYGEN_VERDICT = b"veilgrid/1/keygen/verdict";
    /// Transcript of a dealer's signature under the shares that answer a complaint.
    KEYGEN_ANSWER = b"veilgrid/1/keygen/answer";
    /// Transcript that yields the weights of the check of shares inside of a session.
    KEYGEN_DEALT = b"veilgrid/1/keygen/dealt";
    /// Transcript that yields the weights of the check of a validator's own shares against its share keys.
    KEYGEN_HELD = b"veilgrid/1/keygen/held";
    /// Digest of threshold keys and share keys.
    KEYGEN_PUBLIC = b"veilgrid/1/keygen/public";
    /// Running digest over the events of a session.
    KEYGEN_SESSION = b"veilgrid/1/keygen/session";
    /// Transcript of a claim: what a fill is worth, under the account's key.
    CLAIM = b"veilgrid/1/money/claim";
    /// Transcript that yields the weights of a check of many claims.
    CLAIM_BATCH = b"veilgrid/1/money/claim-batch";
    /// Transcript of the proof that what is left of a balance is not negative.
    REST = b"veilgrid/1/money/rest";
    /// Transcripts of a recovery: the new pair's proof, a validator's blinded difference.
    RECOVERY = b"veilgrid/1/money/recovery";
    /// Transcript of a proof of one fact, for one asker.
    FACT = b"veilgrid/1/money/fact";
    /// Transcript of an asker's proof that it holds its key.
    FACT_ASKER = b"veilgrid/1/money/fact-asker";
    /// Digest of everything static that a day of readings is proved against (bases, bits, slot keys).
    READING_PARAMS = b"veilgrid/1/reading/params";
    /// Transcript of a day of readings.
    READING = b"veilgrid/1/reading";
    /// Digest that names a sealed day of readings.
    READING_DIGEST = b"veilgrid/1/reading/digest";
    /// Running digest over the frozen days of readings whose sums are opened.
    READING_SET = b"veilgrid/1/reading/set";
    /// HKDF salt of the randomness r of a day of readings.
    READING_RANDOMNESS = b"veilgrid/1/reading/r";
    /// HKDF salt of the seed of the randomness of a day's proof.
    READING_PROOF = b"veilgrid/1/reading/proof";
    /// HPKE info prefix of a day's r, sealed to the account's wallet.
    READING_RECOVERY = b"veilgrid/1/reading/recovery";
    /// Transcript of the proof of a day's shares under a static key or coefficients by slot.
    READING_SHARES = b"veilgrid/1/reading/shares";
    /// Digest of everything static that a day's shares are proved against.
    READING_SHARES_PARAMS = b"veilgrid/1/reading/shares/params";
    /// Digest that names the sealed shares of a day.
    READING_SHARES_DIGEST = b"veilgrid/1/reading/shares/digest";
    /// HKDF salt of the randomness r of a day's shares.
    READING_SHARES_RANDOMNESS = b"veilgrid/1/reading/shares/r";
    /// Transcript that yields the weights of a check of many days' shares.
    READING_SHARES_BATCH = b"veilgrid/1/reading/shares/batch";
    /// Transcript of an account's signature under its standing order.
    STANDING_ORDER = b"veilgrid/1/standing-order";
    /// HKDF info of the key that opens a day's sealed r, and of a source's seed of a month.
    WALLET_READING = b"veilgrid/1/wallet/reading";
    /// Transcript of the aggregator's receipt signature.
    RECEIPT = b"veilgrid/1/receipt";
    /// Transcript of the aggregator's signature under bids that it sends on to the validators.
    RELAY = b"veilgrid/1/relay";
    /// HPKE info prefix of a bid envelope.
    ENVELOPE = b"veilgrid/1/envelope";
    /// HKDF salt of the wallet branches.
    WALLET = b"veilgrid/1/wallet";
    /// HKDF info of the view branch.
    WALLET_VIEW = b"veilgrid/1/wallet/view";
    /// HKDF info of the spend branch.
    WALLET_SPEND = b"veilgrid/1/wallet/spend";
    /// HKDF info of the proof branch.
    WALLET_PROOF = b"veilgrid/1/wallet/proof";
    /// HKDF info of an epoch's key inside a branch.
    WALLET_EPOCH = b"veilgrid/1/wallet/epoch";
    /// HKDF info of a round's view key.
    WALLET_ROUND = b"veilgrid/1/wallet/round";
    /// PRF label of a bid's salt.
    BID_SALT = b"veilgrid/1/bid/salt";
    /// HKDF info of a bid's randomness r.
    BID_RANDOMNESS = b"veilgrid/1/bid/r";
    /// HKDF info of a bid's recovery-note key.
    BID_NOTE_KEY = b"veilgrid/1/bid/note-key";
    /// Ledger identity: the whole genesis.
    LEDGER_ID = b"veilgrid/1/ledger/id";
    /// Digest of the market parameters.
    LEDGER_MARKET = b"veilgrid/1/ledger/market";
    /// Hash of a block header.
    LEDGER_BLOCK = b"veilgrid/1/ledger/block";
    /// Hash over the digests of a block's transactions.
    LEDGER_BODY = b"veilgrid/1/ledger/body";
    /// Digest of a transaction.
    LEDGER_TRANSACTION = b"veilgrid/1/ledger/transaction";
    /// Digest of a transaction of bids, from the bids' digests.
    LEDGER_BIDS = b"veilgrid/1/ledger/bids";
    /// Root of the ledger state.
    LEDGER_STATE = b"veilgrid/1/ledger/state";
    /// Running digest over finished rounds.
    LEDGER_ROUND = b"veilgrid/1/ledger/round";
    /// The same for rounds that no block opened in their time.
    LEDGER_PASSED = b"veilgrid/1/ledger/passed";
    /// Running digest over refused transactions.
    LEDGER_REFUSED = b"veilgrid/1/ledger/refused";
    /// Digest of a set of validators.
    LEDGER_ROSTER = b"veilgrid/1/ledger/roster";
    /// Transcript of a validator's signature under a change of the validators.
    LEDGER_ROSTER_CHANGE = b"veilgrid/1/ledger/roster-change";
    /// Transcript of the registrar's signature under an order.
    LEDGER_REGISTRAR_ORDER = b"veilgrid/1/ledger/registrar-order";
    /// Running digest over the registrar's orders.
    LEDGER_MEMBERS = b"veilgrid/1/ledger/members";
    /// Digest of the accounts that may bid in a round.
    LEDGER_BIDDERS = b"veilgrid/1/ledger/bidders";
    /// Transcript of a validator's signature under new keys of the registrar or the aggregator.
    LEDGER_KEY_REPLACEMENT = b"veilgrid/1/ledger/key-replacement";
    /// Transcript of the treasury's signature under an order.
    LEDGER_TREASURY_ORDER = b"veilgrid/1/ledger/treasury-order";
    /// Transcript of a member's signature under a withdrawal.
    LEDGER_WITHDRAWAL = b"veilgrid/1/ledger/withdrawal";
    /// Leaf of the tree of accounts.
    LEDGER_ACCOUNT = b"veilgrid/1/ledger/account";
    /// Node of the tree of accounts.
    LEDGER_ACCOUNTS = b"veilgrid/1/ledger/accounts";
    /// Digest of what each account had available when a round opened.
    LEDGER_SNAPSHOT = b"veilgrid/1/ledger/snapshot";
    /// Digest of the fills of a settled round that are not claimed yet.
    LEDGER_UNCLAIMED = b"veilgrid/1/ledger/unclaimed";
    /// Digest of an outcome, which claims are bound to.
    LEDGER_OUTCOME = b"veilgrid/1/ledger/outcome";
    /// HMAC of a connection point's name under the registrar's key.
    CONNECTION_POINT = b"veilgrid/1/connection-point";
    /// HMAC of a payment's reference under the treasury's key.
    TREASURY_REFERENCE = b"veilgrid/1/treasury/reference";
    /// Seed of the weights with which the signatures of many certificates are checked at once.
    CERTIFICATES = b"veilgrid/1/ledger/certificates";
    /// Checksum of an exported ledger file.
    LEDGER_FILE = b"veilgrid/1/ledger/file";
    /// HMAC that makes a secret of a node the key under which it knows its own saved state.
    STORE_SAVED_KEY = b"veilgrid/1/store/saved-key";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn labels_are_distinct_and_versioned() {
        let distinct: BTreeSet<_> = ALL.iter().map(|(_, text)| text).collect();
        assert_eq!(distinct.len(), ALL.len());
        let prefix = format!("veilgrid/{PROTOCOL_VERSION}/");
        assert!(ALL.iter().all(|(_, text)| text.starts_with(prefix.as_bytes())));
    }
}
