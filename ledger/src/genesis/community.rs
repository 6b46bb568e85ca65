//! A genesis after all its checks: what stays fixed for the life of a ledger, and the threshold keys in force.

use crate::genesis::{Genesis, GenesisError};
use crate::hash::Hash;
use crate::key_roles;
use crate::params::MarketParams;
use crate::roster::{Roster, RosterError};
use crate::state::round::Slot;
use crate::transaction::DecodeContext;
use std::sync::Arc;
use veilgrid_crypto::bid::{BidParams, BidShape, RoundContext};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::ThresholdKeys;
use veilgrid_crypto::schnorr::VerifyingKey;

/// The verified genesis with the keys that are in force. Only [`Community::verify`] makes one, and only a key session
/// of the ledger gives it other keys.
#[derive(Clone)]
pub struct Community {
    genesis: Arc<Genesis>,
    ledger_id: Hash,
    keyed: Option<Keyed>,
    receipt_key: VerifyingKey,
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
        let receipt_key = VerifyingKey::from_bytes(&genesis.aggregator_receipt_key)
            .map_err(|_| GenesisError::ReceiptKey)?;
        Ok(Self { ledger_id: genesis.ledger_id(), keyed: None, receipt_key, genesis: Arc::new(genesis) })
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
    /// The threshold keys in force, one a step; none until they are generated over the ledger.
    pub fn keys(&self) -> Option<&ThresholdKeys> {
        self.keyed.as_ref().map(|keyed| keyed.keys.as_ref())
    }
    /// What bids are proved against; none until there are keys.
    pub fn bid_params(&self) -> Option<&BidParams> {
        self.keyed.as_ref().map(|keyed| &keyed.bid_params)
    }
    /// The aggregator's receipt key.
    pub fn receipt_key(&self) -> &VerifyingKey {
        &self.receipt_key
    }
    /// Number of validators n that hold shares, or will.
    pub fn validators(&self) -> u16 {
        self.keys().map_or_else(|| self.genesis.roster.group().validators, ThresholdKeys::validators)
    }
    /// Shares that open a sum, t.
    pub fn threshold(&self) -> u16 {
        self.keys().map_or(self.genesis.params.threshold, ThresholdKeys::threshold)
    }
    /// True when `account` is a member.
    pub fn is_member(&self, account: &PointBytes) -> bool {
        self.genesis.members.binary_search(account).is_ok()
    }
    /// Checks that no key of these validators is the aggregator's, a member's, or has two roles among them.
    ///
    /// # Errors
    /// [`RosterError::SharedKey`].
    pub fn check_keys_of(&self, roster: &Roster) -> Result<(), RosterError> {
        Ok(key_roles::check(&self.genesis, roster)?)
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
        BidShape { steps: self.params().steps(), bits: u32::from(self.params().bits), money: false }
    }
    /// What the decoder of this ledger's blocks has to know.
    pub fn decode_context(&self) -> DecodeContext {
        DecodeContext::of(&self.genesis)
    }
}

impl Keyed {
    fn new(genesis: &Genesis, keys: ThresholdKeys) -> Result<Self, GenesisError> {
        let bits = u32::from(genesis.params.bits);
        let bid_params = BidParams::new(bits, keys.keys().to_vec(), genesis.params.digest())?;
        Ok(Self { keys: Arc::new(keys), bid_params })
    }
}
