//! The messages of a session as they stand on the ledger.

use super::context::{SessionContext, Signed, Task};
use super::deal::DealtShares;
use super::delivery::{Delivery, KeyAnnouncement, sealed_bytes};
use super::package::DealerPackage;
use super::party::Party;
use super::public::ThresholdKeys;
use super::renewal::RenewalPackage;
use super::{KeyGenError, read_number};
use crate::labels;
use crate::schnorr::{SignatureBytes, SignatureInvalid, SigningKey, VerifyingKey};
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::ristretto::RistrettoPoint;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};

/// A dealer's commitments, in the form that the session's task asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Package {
    /// Of [`Task::Generate`].
    Generation(DealerPackage),
    /// Of [`Task::Refresh`] and [`Task::Reshare`].
    Renewal(RenewalPackage),
}

/// What a receiver says about all deliveries: the dealers it complains about. Without any it is an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The receiver, 1..=n'.
    pub receiver: u16,
    /// Dealers whose shares do not open or are false, in rising order.
    pub complaints: Vec<u16>,
    /// The receiver's signature over context and verdict.
    pub signature: SignatureBytes,
}

/// A dealer's public answer to a complaint: exactly the shares of the receiver that complained.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The shares, with dealer and receiver. They are public once this is on the ledger.
    pub shares: DealtShares,
    /// The dealer's signature over context and answer.
    pub signature: SignatureBytes,
}

/// One message of a session.
#[derive(Debug, Clone)]
pub enum Event {
    /// A receiver's one-time key.
    Announcement(KeyAnnouncement),
    /// A dealer's commitments.
    Package(Package),
    /// A dealer's sealed shares.
    Delivery(Delivery),
    /// A receiver's acknowledgement or complaints.
    Verdict(Verdict),
    /// A dealer's answer to a complaint.
    Answer(Answer),
}

impl Package {
    /// The dealer that the package names.
    pub fn dealer(&self) -> u16 {
        match self {
            Self::Generation(package) => package.dealer,
            Self::Renewal(package) => package.dealer,
        }
    }

    /// The digest that deliveries name the package by.
    pub fn digest(&self, ctx: &SessionContext) -> [u8; 32] {
        let digest = Sha256::new().chain_update(labels::KEYGEN_PACKAGE_DIGEST).chain_update(ctx.to_bytes());
        digest.chain_update(self.to_bytes()).finalize().into()
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Generation(package) => package.to_bytes(),
            Self::Renewal(package) => package.to_bytes(),
        }
    }

    /// Whether the package has the form of the session's task and its dealer's signature.
    pub(super) fn check_signature(
        &self,
        ctx: &SessionContext,
        key: &VerifyingKey,
    ) -> Result<(), SignatureInvalid> {
        let checked = match (self, ctx.task) {
            (Self::Generation(package), Task::Generate) => package.check_signature(&ctx.generation(), key),
            (Self::Renewal(package), Task::Refresh | Task::Reshare) => package.check_signature(ctx, key),
            _ => return Err(SignatureInvalid),
        };
        checked.map_err(|_| SignatureInvalid)
    }

    /// All else that is checked about a package alone; the commitments of all degrees, key by key.
    pub(super) fn check(
        &self,
        ctx: &SessionContext,
        previous: Option<&ThresholdKeys>,
    ) -> Result<Vec<Vec<RistrettoPoint>>, KeyGenError> {
        match (self, previous) {
            (Self::Generation(package), None) => package.check_content(&ctx.generation()),
            (Self::Renewal(package), Some(previous)) => package.points(ctx, previous),
            _ => Err(KeyGenError::Context { why: "the package is of another task than the session" }),
        }
    }
}

impl Verdict {
    /// Signs what `receiver` found.
    pub fn sign(
        ctx: &SessionContext,
        receiver: u16,
        complaints: Vec<u16>,
        key: &SigningKey,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let mut made = Self { receiver, complaints, signature: [0; 64] };
        made.signature = key.sign(&mut made.transcript(ctx), rng);
        made
    }

    fn write_unsigned(&self, w: &mut Writer) {
        w.u16(self.receiver).length(self.complaints.len());
        self.complaints.iter().for_each(|dealer| {
            w.u16(*dealer);
        });
    }

    fn read(r: &mut Reader<'_>, ctx: &SessionContext) -> Result<Self, WireError> {
        let receiver = read_number(r, "receiver")?;
        let count = r.length("complaints", ctx.dealers.validators.into(), 2)?;
        let complaints = (0..count).map(|_| read_number(r, "dealer")).collect::<Result<Vec<_>, _>>()?;
        if complaints.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(WireError::Invalid {
                field: "complaints",
                why: "the dealers are not in rising order",
            });
        }
        Ok(Self { receiver, complaints, signature: r.array("signature")? })
    }
}

impl Signed for Verdict {
    fn transcript(&self, ctx: &SessionContext) -> Transcript {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        ctx.transcript(labels::KEYGEN_VERDICT, &w.finish())
    }

    fn signature(&self) -> &SignatureBytes {
        &self.signature
    }
}

impl Answer {
    /// Reveals the shares of one receiver. Only for a complaint that stands on the ledger
    /// ([`super::Session::complaints_against`]).
    pub fn reveal(
        ctx: &SessionContext,
        shares: DealtShares,
        key: &SigningKey,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let mut made = Self { shares, signature: [0; 64] };
        made.signature = key.sign(&mut made.transcript(ctx), rng);
        made
    }

    fn read(r: &mut Reader<'_>, ctx: &SessionContext) -> Result<Self, WireError> {
        let bytes = r.bytes("answer", 8 + 32 * ctx.key_count())?;
        Ok(Self { shares: DealtShares::decode(bytes, ctx.key_count())?, signature: r.array("signature")? })
    }
}

impl Signed for Answer {
    fn transcript(&self, ctx: &SessionContext) -> Transcript {
        ctx.transcript(labels::KEYGEN_ANSWER, self.shares.to_bytes().expose())
    }

    fn signature(&self) -> &SignatureBytes {
        &self.signature
    }
}

impl Event {
    /// The most bytes that an event of a session can have: bounds what a ledger takes in.
    pub fn max_bytes(ctx: &SessionContext) -> usize {
        let package = 2 + 4 + ctx.key_count() * (4 + 32 * usize::from(ctx.receivers.threshold) + 64) + 4 + 64;
        let delivery = 2 + 32 + 4 + usize::from(ctx.receivers.validators) * (2 + sealed_bytes(ctx.keys)) + 64;
        1 + package.max(delivery)
    }

    /// The party that the event names as its author.
    pub fn party(&self) -> Party {
        match self {
            Self::Announcement(announcement) => Party::Receiver(announcement.receiver),
            Self::Package(package) => Party::Dealer(package.dealer()),
            Self::Delivery(delivery) => Party::Dealer(delivery.dealer),
            Self::Verdict(verdict) => Party::Receiver(verdict.receiver),
            Self::Answer(answer) => Party::Dealer(answer.shares.dealer),
        }
    }

    /// Canonical encoding: kind u8, then the message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Announcement(announcement) => announcement.write(w.u8(0)),
            Self::Package(package) => {
                w.u8(1).bytes(&package.to_bytes());
            }
            Self::Delivery(delivery) => delivery.write(w.u8(2)),
            Self::Verdict(verdict) => {
                verdict.write_unsigned(w.u8(3));
                w.bytes(&verdict.signature);
            }
            Self::Answer(answer) => {
                w.u8(4).bytes(answer.shares.to_bytes().expose()).bytes(&answer.signature);
            }
        }
        w.finish()
    }

    /// Decodes an event of a session whose context has been checked; nothing else is.
    ///
    /// # Errors
    /// [`WireError`] for every shape that the session does not have.
    pub fn from_bytes(bytes: &[u8], ctx: &SessionContext) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let event = match r.u8("kind")? {
            0 => Self::Announcement(KeyAnnouncement::read(&mut r)?),
            1 => {
                let package = r.bytes("package", r.remaining())?;
                Self::Package(match ctx.task {
                    Task::Generate => {
                        Package::Generation(DealerPackage::from_bytes(package, &ctx.generation())?)
                    }
                    Task::Refresh | Task::Reshare => {
                        Package::Renewal(RenewalPackage::from_bytes(package, ctx)?)
                    }
                })
            }
            2 => Self::Delivery(Delivery::read(&mut r, ctx)?),
            3 => Self::Verdict(Verdict::read(&mut r, ctx)?),
            4 => Self::Answer(Answer::read(&mut r, ctx)?),
            _ => return Err(WireError::Invalid { field: "kind", why: "the format has no such event" }),
        };
        r.finish()?;
        Ok(event)
    }
}
