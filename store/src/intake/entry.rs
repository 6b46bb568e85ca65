//! One entry of the journal.

/// A sealed bid that was taken in, and the receipt that was given for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeEntry {
    /// The encoded sealed bid.
    pub bid: Vec<u8>,
    /// The encoded [`veilgrid_crypto::receipt::Receipt`].
    pub receipt: Vec<u8>,
}
