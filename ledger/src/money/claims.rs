//! The transaction of claims: what fills of one round are worth, under their accounts' keys.

use crate::members::order::AccountNumber;
use veilgrid_crypto::money::claim::Claim;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Targets of a claim: the account.
const TARGETS: usize = 1;

/// Claims of one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The round.
    pub round_id: u64,
    /// The claims in rising order of their accounts, each at most once.
    pub claims: Vec<(AccountNumber, Claim)>,
}

impl Claims {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.round_id).length(self.claims.len());
        for (number, claim) in &self.claims {
            w.u32(*number).bytes(&claim.to_bytes());
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>, most: usize) -> Result<Self, WireError> {
        let round_id = r.u64("round id")?;
        let count = r.length("claims", most, 4 + Claim::encoded_bytes(TARGETS))?;
        let claim = |_| Ok((r.u32("account number")?, Claim::read(r, TARGETS)?));
        Ok(Self { round_id, claims: (0..count).map(claim).collect::<Result<_, WireError>>()? })
    }
}
