//! The wire form of a sealed bid. All lengths follow from the market's [`BidShape`], so the form has no length fields.

use crate::bid::layout::Layout;
use crate::bid::money::{BidMoney, MONEY_BYTES};
use crate::group::PointBytes;
use crate::labels;
use crate::schnorr::SignatureBytes;
use crate::wire::{Reader, WireError, Writer};
use sha2::{Digest, Sha256};

/// Bytes that AES-256-GCM adds to the recovery note.
const NOTE_TAG_BYTES: usize = 16;
/// 32-byte items of a proof besides the inner-product rounds: A, S, T1, T2, three announcements, five scalars, a, b.
const FIXED_PROOF_ITEMS: usize = 14;

/// The lengths of a bid: M steps of n bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BidShape {
    /// Number of steps M, a power of two.
    pub steps: usize,
    /// Bits of a quantity.
    pub bits: u32,
    /// Whether the bid has money: 136 bytes more for 128 steps of 16 bits.
    pub money: bool,
}

impl BidShape {
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.bits as usize, self.steps, self.money)
    }
    /// Pairs of L and R of the inner-product argument; log2(n·M) without money.
    pub fn pairs(&self) -> usize {
        self.layout().pairs()
    }
    /// Bytes of the proof.
    pub fn proof_bytes(&self) -> usize {
        32 * (FIXED_PROOF_ITEMS + usize::from(self.money) + 2 * self.pairs())
    }
    /// Bytes of the recovery note.
    pub fn note_bytes(&self) -> usize {
        self.steps * (self.bits as usize / 8) + NOTE_TAG_BYTES
    }
    /// Bytes of the whole bid.
    pub fn bid_bytes(&self) -> usize {
        let money = if self.money { MONEY_BYTES } else { 0 };
        8 + 32 + 32 + 32 + 32 * self.steps + money + self.proof_bytes() + self.note_bytes() + 64
    }
}

/// A sealed bid as it travels: nothing in it is checked yet but its lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBid {
    /// The round it is for.
    pub round_id: u64,
    /// The bidder's account key (pseudonym).
    pub account: PointBytes,
    /// Salt from which the owner derives r and the note key.
    pub salt: [u8; 32],
    /// R = r·G.
    pub r: PointBytes,
    /// C_k = x_k·V + r·Y_k, k = 1..M.
    pub c: Vec<PointBytes>,
    /// Cost and debit sequence, in a market with money.
    pub money: Option<BidMoney>,
    /// The proof.
    pub proof: Vec<u8>,
    /// The quantities, encrypted to the owner.
    pub note: Vec<u8>,
    /// The account's signature over everything before it.
    pub signature: SignatureBytes,
}

impl SealedBid {
    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u64(self.round_id).bytes(&self.account).bytes(&self.salt).bytes(&self.r);
        w.bytes(self.c.as_flattened());
        if let Some(money) = &self.money {
            w.bytes(&money.cost).u64(money.debit_sequence);
        }
        w.bytes(&self.proof).bytes(&self.note).bytes(&self.signature);
        w.finish()
    }

    /// Decodes exactly `shape.bid_bytes()` bytes. Points and scalars are decoded later, where they are checked.
    pub fn from_bytes(bytes: &[u8], shape: BidShape) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let bid = Self::read(&mut r, shape)?;
        r.finish()?;
        Ok(bid)
    }

    /// Reads one bid from a longer encoding.
    pub fn read(r: &mut Reader<'_>, shape: BidShape) -> Result<Self, WireError> {
        // Before anything is allocated: the whole bid has to be there.
        if r.remaining() < shape.bid_bytes() {
            let left = r.remaining();
            return Err(WireError::Truncated { field: "sealed bid", needed: shape.bid_bytes(), left });
        }
        Ok(Self {
            round_id: r.u64("bid round")?,
            account: r.array("bid account")?,
            salt: r.array("bid salt")?,
            r: r.array("bid R")?,
            c: (0..shape.steps).map(|_| r.array("bid C")).collect::<Result<_, _>>()?,
            money: shape.money.then(|| Self::read_money(r)).transpose()?,
            proof: r.bytes("bid proof", shape.proof_bytes())?.to_vec(),
            note: r.bytes("bid note", shape.note_bytes())?.to_vec(),
            signature: r.array("bid signature")?,
        })
    }

    fn read_money(r: &mut Reader<'_>) -> Result<BidMoney, WireError> {
        Ok(BidMoney { cost: r.array("bid cost")?, debit_sequence: r.u64("bid debit sequence")? })
    }

    /// True when every part has the length that `shape` demands.
    pub fn has_shape(&self, shape: BidShape) -> bool {
        self.c.len() == shape.steps
            && self.money.is_some() == shape.money
            && self.proof.len() == shape.proof_bytes()
            && self.note.len() == shape.note_bytes()
    }

    /// The digest that names this bid.
    pub fn digest(&self) -> [u8; 32] {
        Self::digest_of(&self.to_bytes())
    }

    /// The digest of an encoded bid, without decoding it.
    pub fn digest_of(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(labels::BID_DIGEST);
        hash.update(bytes);
        hash.finalize().into()
    }
}
