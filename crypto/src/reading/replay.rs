//! The transcript of a day of readings, for prover and verifier.

use super::context::{DayContext, DayHeader};
use super::params::DayParams;
use super::sealed::RECOVERY_BYTES;
use super::verify::DayStatement;
use crate::absorb::Absorb;
use crate::bid::BidParams;
use crate::bid::replay::{Replay, Replayed};
use crate::bid::steps::Steps;
use crate::group::PointBytes;
use crate::labels;
use crate::wire::WireError;
use curve25519_dalek::scalar::Scalar;

/// Absorbs context, header and vector and draws ρ, which must come after R and every C_k.
pub(super) fn absorb_vector(
    t: &mut impl Absorb,
    params: &DayParams,
    context: &DayContext,
    header: &DayHeader,
    r: &PointBytes,
    c: &[PointBytes],
    recovery: &[u8; RECOVERY_BYTES],
) -> Scalar {
    context.absorb(t, params, header);
    t.absorb(b"R", r);
    t.absorb(b"C", c.as_flattened());
    // So that an altered one is refused without the source's signature, too.
    t.absorb(b"recovery", recovery);
    let rho = t.draw_scalar(b"rho");
    t.absorb_u64(b"bits", u64::from(params.bits()));
    t.absorb_u64(b"steps", params.vector().steps() as u64);
    rho
}

/// A statement with the parameters that its context absorbs.
#[derive(Clone, Copy)]
pub(super) struct InParams<'a>(pub &'a DayParams, pub &'a DayStatement<'a>);

impl Replayed for InParams<'_> {
    fn label(&self) -> &'static [u8] {
        labels::READING
    }

    fn replay_on(&self, t: &mut impl Absorb, vector: &BidParams) -> Result<Replay, WireError> {
        let Self(params, DayStatement { context, day }) = self;
        let present = day.header.present();
        let invalid = |why| Err(WireError::Invalid { field: "sealed day", why });
        if day.header.grades.len() != usize::from(context.slots) || day.header.grades.len() > params.slots() {
            return invalid("not one grade for each slot of the day");
        }
        if present.is_empty() || present.len() != day.c.len() {
            return invalid("not one point for each reading that the grades name");
        }
        let rho = absorb_vector(t, params, context, &day.header, &day.r, &day.c, &day.recovery);
        let mut replay = Replay::of_proof(t, vector, &day.proof, rho, false)?;
        t.draw(b"binding", &mut replay.binding);
        replay.steps = Steps::Some(present);
        Ok(replay)
    }
}
