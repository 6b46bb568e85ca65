//! A genesis after all its checks: what stays fixed for the life of a ledger.

use crate::genesis::{Genesis, GenesisError};
use crate::hash::Hash;
use crate::params::MarketParams;
use crate::state::round::Slot;
use crate::transaction::DecodeContext;
use veilgrid_crypto::bid::{BidParams, RoundContext};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{ThresholdKeys, public_keys};
use veilgrid_crypto::schnorr::VerifyingKey;

/// The verified genesis with the keys that follow from it. Only [`Community::verify`] makes one.
pub struct Community {
    genesis: Genesis,
    ledger_id: Hash,
    keys: ThresholdKeys,
    bid_params: BidParams,
    receipt_key: VerifyingKey,
}

impl Community {
    /// Checks a genesis: parameters, keys of all parties, and every proof and signature of the key generation.
    ///
    /// # Errors
    /// The rule that is broken, with the validator, member or dealer who breaks it.
    pub fn verify(genesis: Genesis) -> Result<Self, GenesisError> {
        let draft = &genesis.draft;
        draft.check()?;
        let context = draft.keygen_context();
        let dealers: Vec<VerifyingKey> = draft
            .validators
            .iter()
            .enumerate()
            .map(|(i, key)| {
                VerifyingKey::from_bytes(key).map_err(|_| GenesisError::ValidatorKey { validator: i + 1 })
            })
            .collect::<Result<_, _>>()?;
        let keys = public_keys(&context, &genesis.packages, &dealers)?;
        let bid_params =
            BidParams::new(u32::from(draft.params.bits), keys.keys().to_vec(), draft.params.digest())?;
        let receipt_key =
            VerifyingKey::from_bytes(&draft.aggregator_receipt_key).map_err(|_| GenesisError::ReceiptKey)?;
        Ok(Self { ledger_id: context.ledger_id, keys, bid_params, receipt_key, genesis })
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
        &self.genesis.draft.params
    }
    /// The threshold keys, one a step.
    pub fn keys(&self) -> &ThresholdKeys {
        &self.keys
    }
    /// What bids are proved against.
    pub fn bid_params(&self) -> &BidParams {
        &self.bid_params
    }
    /// The aggregator's receipt key.
    pub fn receipt_key(&self) -> &VerifyingKey {
        &self.receipt_key
    }
    /// Number of validators n.
    pub fn validators(&self) -> u16 {
        self.keys.validators()
    }
    /// Shares that open a sum, t.
    pub fn threshold(&self) -> u16 {
        self.keys.threshold()
    }
    /// True when `account` is a member.
    pub fn is_member(&self, account: &PointBytes) -> bool {
        self.genesis.draft.members.binary_search(account).is_ok()
    }
    /// The context that bids of a round for this slot are bound to.
    pub fn round_context(&self, round_id: u64, slot: Slot) -> RoundContext {
        RoundContext {
            ledger_id: self.ledger_id,
            key_epoch: self.genesis.draft.key_epoch,
            round_id,
            slot_start_unix_s: slot.start_unix_s,
            slot_seconds: slot.seconds,
        }
    }
    /// What the decoder of this ledger's blocks has to know.
    pub fn decode_context(&self) -> DecodeContext {
        DecodeContext::of(&self.genesis.draft)
    }
}
