//! What a session over the ledger is about: everything that its messages are bound to.

use super::{KeyGenContext, KeyGenError, MAX_KEYS, MAX_VALIDATORS};
use crate::labels;
use crate::schnorr::{SignatureBytes, SignatureInvalid, VerifyingKey};
use crate::wire::Writer;
use merlin::Transcript;

/// What the dealers of a session deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Fresh keys.
    Generate,
    /// Sharings of zero: new shares of the same keys for the same validators.
    Refresh,
    /// Sharings of the old shares: shares of the same keys for another set of validators.
    Reshare,
}

/// A set of validators, numbered 1..=n, and how many of them open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// n.
    pub validators: u16,
    /// t: shares that open, and coefficients of a polynomial shared among the group.
    pub threshold: u16,
}

impl Group {
    /// The group of n validators of whom f = ⌊(n − 1)/3⌋ may fail: t = n − f, which is 2f + 1 for n = 3f + 1.
    pub fn of(validators: u16) -> Self {
        Self { validators, threshold: validators - validators.saturating_sub(1) / 3 }
    }

    /// f: how many may be false, with the others still able to open and t − 1 shares enough for f false ones and f
    /// revealed shares besides.
    pub fn faults(&self) -> u16 {
        let by_size = self.validators.saturating_sub(1) / 3;
        let by_secrecy = self.threshold.saturating_sub(1) / 2;
        by_size.min(by_secrecy).min(self.validators.saturating_sub(self.threshold))
    }

    /// Whether `number` is one of 1..=n.
    pub fn has(&self, number: u16) -> bool {
        (1..=self.validators).contains(&number)
    }
}

/// The context of a session; every proof, signature and sealed share of it absorbs all of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionContext {
    /// What is dealt.
    pub task: Task,
    /// The ledger that the keys are for.
    pub ledger_id: [u8; 32],
    /// Number of the session on that ledger; a number is never used twice.
    pub session: u64,
    /// The key epoch that the new shares are for.
    pub epoch: u64,
    /// Who deals.
    pub dealers: Group,
    /// Who gets shares; the dealers' own group except in a resharing.
    pub receivers: Group,
    /// Keys shared together.
    pub keys: u32,
    /// [`super::ThresholdKeys::digest`] of the shares that are renewed; zero when keys are generated.
    pub previous: [u8; 32],
}

impl SessionContext {
    /// The context of generating keys.
    pub fn generate(ledger_id: [u8; 32], session: u64, epoch: u64, group: Group, keys: u32) -> Self {
        let (task, previous) = (Task::Generate, [0; 32]);
        Self { task, ledger_id, session, epoch, dealers: group, receivers: group, keys, previous }
    }

    /// Checks the bounds that everything else relies on.
    ///
    /// # Errors
    /// [`KeyGenError::Context`] unless 2 <= t <= n <= [`MAX_VALIDATORS`] in both groups, 1 <= keys <= [`MAX_KEYS`],
    /// and dealers are the receivers in all but a resharing.
    pub fn check(&self) -> Result<(), KeyGenError> {
        let sound = |group: &Group| {
            (2..=MAX_VALIDATORS).contains(&group.validators)
                && (2..=group.validators).contains(&group.threshold)
        };
        let why = if !sound(&self.dealers) {
            "the dealers must be from 2 to 128 and their threshold from 2 to their number"
        } else if !sound(&self.receivers) {
            "the receivers must be from 2 to 128 and their threshold from 2 to their number"
        } else if !(1..=MAX_KEYS).contains(&self.keys) {
            "the number of keys must be from 1 to 16384"
        } else if self.task != Task::Reshare && self.dealers != self.receivers {
            "only a resharing has other receivers than dealers"
        } else if self.task == Task::Generate && self.previous != [0; 32] {
            "generated keys have no previous shares"
        } else {
            return Ok(());
        };
        Err(KeyGenError::Context { why })
    }

    /// The part that the packages of key generation are bound to.
    pub fn generation(&self) -> KeyGenContext {
        KeyGenContext {
            ledger_id: self.ledger_id,
            session: self.session,
            validators: self.dealers.validators,
            threshold: self.dealers.threshold,
            keys: self.keys,
        }
    }

    /// Canonical encoding, of fixed length (93 bytes).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(match self.task {
            Task::Generate => 0,
            Task::Refresh => 1,
            Task::Reshare => 2,
        });
        w.bytes(&self.ledger_id).u64(self.session).u64(self.epoch);
        for group in [self.dealers, self.receivers] {
            w.u16(group.validators).u16(group.threshold);
        }
        w.u32(self.keys).bytes(&self.previous);
        w.finish()
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys as usize
    }

    /// Commitments that a package lists for each key: the constant term of a renewal is known to everybody.
    pub(super) fn listed_coefficients(&self) -> usize {
        usize::from(self.receivers.threshold) - usize::from(self.task != Task::Generate)
    }

    /// A transcript that has absorbed the context and a message.
    pub(super) fn transcript(&self, label: &'static [u8], message: &[u8]) -> Transcript {
        let mut t = Transcript::new(label);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"context", &self.to_bytes());
        t.append_message(b"message", message);
        t
    }
}

/// What a party of a session signs: one transcript over the context and everything but the signature.
pub(super) trait Signed {
    fn transcript(&self, ctx: &SessionContext) -> Transcript;
    fn signature(&self) -> &SignatureBytes;

    fn check_signature(&self, ctx: &SessionContext, key: &VerifyingKey) -> Result<(), SignatureInvalid> {
        key.verify(&mut self.transcript(ctx), self.signature())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_tolerate_a_third() {
        for (n, f) in [(2u16, 0u16), (3, 0), (4, 1), (5, 1), (6, 1), (7, 2), (16, 5), (128, 42)] {
            let group = Group::of(n);
            assert_eq!((group.threshold, group.faults()), (n - f, f), "n = {n}");
            // Shares of f false validators and f revealed ones do not open.
            assert!(2 * group.faults() < group.threshold);
        }
        assert_eq!(Group { validators: 4, threshold: 2 }.faults(), 0);
        assert_eq!(Group { validators: 7, threshold: 7 }.faults(), 0);
    }

    #[test]
    fn contexts_out_of_bounds_are_refused() {
        let good = SessionContext::generate([1; 32], 1, 1, Group::of(4), 2);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(SessionContext { task: Task::Reshare, receivers: Group::of(7), ..good }.check(), Ok(()));
        let lone = Group { validators: 1, threshold: 1 };
        let low = Group { validators: 4, threshold: 1 };
        let high = Group { validators: 4, threshold: 5 };
        let mut bad = vec![
            SessionContext { keys: 0, ..good },
            SessionContext { keys: MAX_KEYS + 1, ..good },
            SessionContext { receivers: Group::of(7), ..good },
            SessionContext { task: Task::Refresh, receivers: Group::of(7), ..good },
            SessionContext { previous: [1; 32], ..good },
        ];
        for group in [lone, low, high, Group { validators: 129, threshold: 87 }] {
            bad.push(SessionContext { task: Task::Reshare, dealers: group, ..good });
            bad.push(SessionContext { task: Task::Reshare, receivers: group, ..good });
        }
        for ctx in bad {
            assert!(matches!(ctx.check(), Err(KeyGenError::Context { .. })), "{ctx:?}");
        }
    }
}
