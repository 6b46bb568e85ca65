//! A receiver's own part: opening its shares, its verdict, and the key shares that come out.

use super::{Phase, Published, Session};
use crate::keygen::context::Task;
use crate::keygen::deal::DealtShares;
use crate::keygen::delivery::{DeliveryFault, OneTimeKey};
use crate::keygen::held::first_false;
use crate::keygen::messages::Verdict;
use crate::keygen::shares::KeyShares;
use crate::keygen::{KeyGenError, read_number};
use crate::schnorr::SigningKey;
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRngCore;
use rayon::prelude::*;

/// What a receiver found in its deliveries. To be stored encrypted before its verdict is sent: the one-time key is
/// gone.
#[derive(Debug, Clone)]
pub struct Opened {
    receiver: u16,
    shares: Vec<DealtShares>,
    faults: Vec<DeliveryFault>,
}

impl Opened {
    /// The receiver.
    pub fn receiver(&self) -> u16 {
        self.receiver
    }

    /// What was wrong, a fault a dealer; empty when read back from storage, the verdict still names the dealers.
    pub fn faults(&self) -> &[DeliveryFault] {
        &self.faults
    }

    /// Canonical encoding: receiver ‖ number of dealers ‖ their shares. Secret; to be stored encrypted.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        let parts: Vec<Secret<Vec<u8>>> = self.shares.iter().map(DealtShares::to_bytes).collect();
        let mut head = Writer::new();
        head.u16(self.receiver).length(parts.len());
        let length = 6 + parts.iter().map(|part| part.expose().len()).sum::<usize>();
        let mut bytes = Secret::new(Vec::with_capacity(length));
        bytes.expose_mut().extend_from_slice(&head.finish());
        parts.iter().for_each(|part| bytes.expose_mut().extend_from_slice(part.expose()));
        bytes
    }
}

impl Session {
    /// Opens everything that was sealed for receiver `me` and checks it against the commitments. Consumes the key.
    ///
    /// # Errors
    /// The key comes back when dealing is not over yet.
    pub fn open(&self, me: u16, key: OneTimeKey) -> Result<Opened, OneTimeKey> {
        if self.phase <= Phase::Dealing {
            return Err(key);
        }
        let opened: Vec<Result<DealtShares, DeliveryFault>> =
            self.participants().par_iter().map(|dealer| self.open_one(*dealer, me, &key)).collect();
        let mut found = Opened { receiver: me, shares: Vec::new(), faults: Vec::new() };
        for result in opened {
            match result {
                Ok(shares) => found.shares.push(shares),
                Err(fault) => found.faults.push(fault),
            }
        }
        Ok(found)
    }

    fn open_one(&self, dealer: u16, receiver: u16, key: &OneTimeKey) -> Result<DealtShares, DeliveryFault> {
        let missing = DeliveryFault::Missing { dealer, receiver };
        let state = self.dealer(dealer).ok_or(missing.clone())?;
        let (Some(Published { digest, points }), Some(delivery)) = (&state.package, &state.delivery) else {
            return Err(missing);
        };
        let shares = key.open(&self.ctx, receiver, delivery)?;
        match first_false(&self.ctx, digest, points, &shares) {
            None => Ok(shares),
            Some(key) => Err(DeliveryFault::FalseShare { dealer, receiver, key }),
        }
    }

    /// Reads back what a receiver of this session stored.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no encoding of it.
    pub fn opened_from_bytes(&self, bytes: &[u8]) -> Result<Opened, WireError> {
        let mut r = Reader::new(bytes);
        let receiver = read_number(&mut r, "receiver")?;
        let size = 8 + 32 * self.ctx.key_count();
        let count = r.length("dealers", self.dealers.len(), size)?;
        let shares = (0..count)
            .map(|_| DealtShares::decode(r.bytes("dealt shares", size)?, self.ctx.key_count()))
            .collect::<Result<Vec<_>, _>>()?;
        r.finish()?;
        Ok(Opened { receiver, shares, faults: Vec::new() })
    }

    /// The verdict on what was opened: complaints about all dealers that take part and have no true shares there.
    pub fn verdict(&self, opened: &Opened, key: &SigningKey, rng: &mut impl CryptoRngCore) -> Verdict {
        let has = |dealer: &u16| opened.shares.iter().any(|shares| shares.dealer == *dealer);
        let complaints = self.participants().into_iter().filter(|dealer| !has(dealer)).collect();
        Verdict::sign(&self.ctx, opened.receiver, complaints, key, rng)
    }

    /// The key shares of a generation or a resharing; answers to complaints stand in for what did not open.
    ///
    /// # Errors
    /// [`KeyGenError::Context`] for a refresh or without an agreement, [`KeyGenError::MissingShares`] for a receiver
    /// without the shares of a qualified dealer, [`KeyGenError::HeldShares`] when the sum is not what all agreed on.
    pub fn key_shares(&self, opened: Opened) -> Result<KeyShares, KeyGenError> {
        if self.ctx.task == Task::Refresh {
            return Err(KeyGenError::Context { why: "a refresh needs the old shares" });
        }
        let sum = self.sum(&opened)?;
        self.checked(KeyShares::new(opened.receiver, sum))
    }

    /// The key shares after a refresh. The old ones are consumed and wiped; they come back with the error when
    /// nothing was refreshed.
    ///
    /// # Errors
    /// As [`Self::key_shares`], and [`KeyGenError::ShareCount`] for shares of another session.
    pub fn refreshed_shares(
        &self,
        old: KeyShares,
        opened: Opened,
    ) -> Result<KeyShares, (KeyShares, KeyGenError)> {
        match self.refresh_from(&old, &opened) {
            Ok(fresh) => Ok(fresh),
            Err(error) => Err((old, error)),
        }
    }

    fn refresh_from(&self, old: &KeyShares, opened: &Opened) -> Result<KeyShares, KeyGenError> {
        if self.ctx.task != Task::Refresh || old.index() != opened.receiver {
            return Err(KeyGenError::Context { why: "the session is no refresh of these shares" });
        }
        if old.keys() != self.ctx.key_count() {
            let (dealer, found) = (old.index(), old.keys());
            return Err(KeyGenError::ShareCount { dealer, found, expected: self.ctx.keys });
        }
        let mut sum = self.sum(opened)?;
        sum.expose_mut().iter_mut().zip(old.scalars().expose()).for_each(|(delta, share)| *delta += share);
        self.checked(KeyShares::new(old.index(), sum))
    }

    /// The weighted sum of what the dealers of the agreement dealt to this receiver.
    fn sum(&self, opened: &Opened) -> Result<Secret<Vec<Scalar>>, KeyGenError> {
        let Some(Ok(agreement)) = &self.outcome else {
            return Err(KeyGenError::Context { why: "the session has not ended in keys" });
        };
        let mut sum = Secret::new(vec![Scalar::ZERO; self.ctx.key_count()]);
        for (position, &dealer) in agreement.dealers.iter().enumerate() {
            let own = opened.shares.iter().find(|shares| shares.dealer == dealer);
            let shares = own
                .or_else(|| self.answers.get(&(dealer, opened.receiver)))
                .ok_or(KeyGenError::MissingShares { dealer })?;
            // Only a resharing has weights.
            let weight = self.weights.get(position).unwrap_or(&Scalar::ONE);
            let totals = sum.expose_mut().iter_mut().zip(shares.shares.expose());
            totals.for_each(|(total, share)| *total += weight * share);
        }
        Ok(sum)
    }

    fn checked(&self, shares: KeyShares) -> Result<KeyShares, KeyGenError> {
        match &self.outcome {
            Some(Ok(agreement)) if agreement.public.matches(&shares) => Ok(shares),
            _ => Err(KeyGenError::HeldShares { validator: shares.index() }),
        }
    }
}
