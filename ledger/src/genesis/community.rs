//! A genesis after all its checks: what stays fixed for the life of a ledger, and the keys in force.

use crate::genesis::{Genesis, GenesisError};
use crate::hash::Hash;
use crate::members::offices::{NewKeys, Offices};
use crate::members::refusal::MembersRefusal;
use crate::money::market::{MoneyRulesError, cost_weights};
use crate::params::{MarketParams, ParamsError};
use crate::state::round::Slot;
use crate::transaction::DecodeContext;
use std::sync::Arc;
use veilgrid_crypto::bid::{BidParams, BidShape, CostWeights, RoundContext};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::ThresholdKeys;
use veilgrid_crypto::schnorr::VerifyingKey;

/// The verified genesis with the keys that are in force. Only [`Community::verify`] makes one, and only a key session or a
/// replacement on the ledger gives it other keys.
#[derive(Clone)]
pub struct Community {
    genesis: Arc<Genesis>,
    ledger_id: Hash,
    keyed: Option<Keyed>,
    offices: Offices,
    receipt_key: VerifyingKey,
    registrar_key: VerifyingKey,
    treasury_key: Option<VerifyingKey>,
    /// What a Wh costs at most, step by step; with money only.
    costs: Option<CostWeights>,
}

#[derive(Clone)]
struct Keyed {
    keys: Arc<ThresholdKeys>,
    bid_params: BidParams,
}

impl Community {
    /// Checks a genesis: parameters, validators, and the keys of all parties.
    ///
    /// # Errors
    /// The rule that is broken, with the validator or member who breaks it.
    pub fn verify(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let offices = Offices::of_genesis(&genesis);
        let receipt_key =
            VerifyingKey::from_bytes(&offices.aggregator().receipt).map_err(|_| GenesisError::ReceiptKey)?;
        let registrar_key =
            VerifyingKey::from_bytes(offices.registrar()).map_err(|_| GenesisError::RegistrarKey)?;
        let treasury_key = genesis.params.money.map(|money| VerifyingKey::from_bytes(&money.treasury_key));
        let treasury_key =
            treasury_key.transpose().map_err(|_| ParamsError::Money(MoneyRulesError::TreasuryKey))?;
        let costs = genesis.params.money.map(|_| cost_weights(&genesis.params.grid));
        let (ledger_id, keyed, genesis) = (genesis.ledger_id(), None, Arc::new(genesis));
        Ok(Self { ledger_id, keyed, offices, receipt_key, registrar_key, treasury_key, costs, genesis })
    }

    /// The same community with another registrar or aggregator.
    ///
    /// # Errors
    /// [`MembersRefusal::OfficeKey`].
    pub(crate) fn with_office(&self, keys: NewKeys) -> Result<Self, MembersRefusal> {
        let mut next = self.clone();
        let parsed = |key: &PointBytes, name| {
            VerifyingKey::from_bytes(key).map_err(|_| MembersRefusal::OfficeKey { key: name })
        };
        match &keys {
            NewKeys::Registrar(key) => next.registrar_key = parsed(key, "registrar's key")?,
            NewKeys::Aggregator(keys) => {
                next.receipt_key = parsed(&keys.receipt, "aggregator's receipt key")?;
            }
        }
        next.offices.replace(keys);
        Ok(next)
    }

    /// The same community under the keys, or the new shares of the same keys, of a key session.
    ///
    /// # Errors
    /// Keys that do not fit the grid, which the session excludes.
    pub(crate) fn with_keys(&self, keys: ThresholdKeys) -> Result<Self, GenesisError> {
        let keyed = match &self.keyed {
            // New shares leave the keys as they are; building the tables for bids again would cost a second.
            Some(old) if old.keys.keys() == keys.keys() => {
                Keyed { keys: Arc::new(keys), bid_params: old.bid_params.clone() }
            }
            _ => Keyed::new(&self.genesis, keys)?,
        };
        Ok(Self { keyed: Some(keyed), ..self.clone() })
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }
    /// The ledger's identity.
    pub fn ledger_id(&self) -> Hash {
        self.ledger_id
    }
    /// The market's rules.
    pub fn params(&self) -> &MarketParams {
        &self.genesis.params
    }
    /// The threshold keys in force: one a step and, with money, the one of balances; none until they are generated over the ledger.
    pub fn keys(&self) -> Option<&ThresholdKeys> {
        self.keyed.as_ref().map(|keyed| keyed.keys.as_ref())
    }
    /// What bids are proved against; none until there are keys.
    pub fn bid_params(&self) -> Option<&BidParams> {
        self.keyed.as_ref().map(|keyed| &keyed.bid_params)
    }
    /// The aggregator's receipt key in force.
    pub fn receipt_key(&self) -> &VerifyingKey {
        &self.receipt_key
    }
    /// The aggregator's X25519 key in force, to which bids are enveloped.
    pub fn envelope_key(&self) -> [u8; 32] {
        self.offices.aggregator().envelope
    }
    /// The registrar's key in force.
    pub fn registrar_key(&self) -> &VerifyingKey {
        &self.registrar_key
    }
    /// The treasury's key; none on a ledger without money.
    pub fn treasury_key(&self) -> Option<&VerifyingKey> {
        self.treasury_key.as_ref()
    }
    /// What a Wh costs its bidder at most, step by step; none on a ledger without money.
    pub fn costs(&self) -> Option<&CostWeights> {
        self.costs.as_ref()
    }
    /// The keys of registrar and aggregator.
    pub fn offices(&self) -> &Offices {
        &self.offices
    }
    /// Number of validators n that hold shares, or will.
    pub fn validators(&self) -> u16 {
        self.keys().map_or_else(|| self.genesis.roster.group().validators, ThresholdKeys::validators)
    }
    /// Shares that open a sum, t.
    pub fn threshold(&self) -> u16 {
        self.keys().map_or(self.genesis.params.threshold, ThresholdKeys::threshold)
    }
    /// The context that bids of a round for this slot are bound to.
    pub fn round_context(&self, round_id: u64, slot: Slot) -> RoundContext {
        RoundContext {
            ledger_id: self.ledger_id,
            key_epoch: self.genesis.key_epoch,
            round_id,
            slot_start_unix_s: slot.start_unix_s,
            slot_seconds: slot.seconds,
        }
    }
    /// The lengths of a bid, which the market's parameters fix.
    pub fn bid_shape(&self) -> BidShape {
        self.params().bid_shape()
    }
    /// What the decoder of this ledger's blocks has to know.
    pub fn decode_context(&self) -> DecodeContext {
        DecodeContext::of(&self.genesis)
    }
}

impl Keyed {
    fn new(genesis: &Genesis, keys: ThresholdKeys) -> Result<Self, GenesisError> {
        let bits = u32::from(genesis.params.bits);
        let (mut step_keys, digest) = (keys.keys().to_vec(), genesis.params.digest());
        let account_key = if genesis.params.money.is_some() { step_keys.pop() } else { None };
        let bid_params = match account_key {
            Some(account_key) => BidParams::with_money(bits, step_keys, account_key, digest)?,
            None => BidParams::new(bits, step_keys, digest)?,
        };
        Ok(Self { keys: Arc::new(keys), bid_params })
    }
}
