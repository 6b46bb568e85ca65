//! The one wrapper that secrets travel in.

use core::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A value that is wiped when it goes out of scope and that no `Debug`, error or log can print.
///
/// `curve25519_dalek::Scalar` is `Copy` and prints its bytes, so a secret scalar is never held outside of this type
/// for longer than one expression.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Borrows the secret. The name is long on purpose: each use is a place to review.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Borrows the secret for writing, for example to fill it from a key-derivation function.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl<T: Zeroize + ConstantTimeEq> ConstantTimeEq for Secret<T> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_nothing_of_the_value() {
        let secret = Secret::new([0x5au8; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }

    #[test]
    fn comparison_is_by_value() {
        assert!(bool::from(Secret::new([1u8; 32]).0.ct_eq(&[1u8; 32])));
        assert!(!bool::from(Secret::new([1u8; 32]).0.ct_eq(&[2u8; 32])));
    }
}
