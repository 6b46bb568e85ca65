//! What an owner knows of a pair (b·G, v·V + b·Y_0): v and b.

use curve25519_dalek::scalar::Scalar;
use veilgrid_crypto::bid::AvailableOpening;
use veilgrid_crypto::secret::Secret;

/// An amount in units of balances and its blinding. Nothing of it is shown by `Debug`.
#[derive(Debug, Clone)]
pub struct Opening {
    units: Secret<i128>,
    blinding: Secret<Scalar>,
}

impl Opening {
    /// Nothing, unblinded: what a new account holds.
    pub fn zero() -> Self {
        Self::new(0, Scalar::ZERO)
    }

    /// This amount with this blinding.
    pub fn new(units: i128, blinding: Scalar) -> Self {
        Self { units: Secret::new(units), blinding: Secret::new(blinding) }
    }

    /// The amount, in units.
    pub fn units(&self) -> i128 {
        *self.units.expose()
    }

    /// The blinding.
    pub(crate) fn blinding(&self) -> &Scalar {
        self.blinding.expose()
    }

    /// The opening of the sum of both pairs. Balances keep to 64 bits, so that nothing saturates.
    pub fn plus(&self, other: &Self) -> Self {
        Self::new(self.units().saturating_add(other.units()), self.blinding() + other.blinding())
    }

    /// The opening of the difference.
    pub fn minus(&self, other: &Self) -> Self {
        Self::new(self.units().saturating_sub(other.units()), self.blinding() - other.blinding())
    }

    /// A public amount, which has no blinding.
    pub fn public(units: i128) -> Self {
        Self::new(units, Scalar::ZERO)
    }

    /// In the form that proofs take it.
    pub fn available(&self) -> AvailableOpening {
        AvailableOpening { amount: self.units.clone(), blinding: self.blinding.clone() }
    }
}
