//! Members and offices in a saved state ([`crate::state::saved`]).

use super::certificate::{Certificate, LEAST_BYTES};
use super::offices::{AggregatorKeys, NewKeys, Offices};
use super::register::{Member, Register};
use crate::community::Community;
use crate::params::read_flag;
use crate::state::saved::SavedFault;
use veilgrid_crypto::wire::{Reader, Writer};

impl Offices {
    pub(crate) fn save(&self, w: &mut Writer) {
        // The treasury's is the genesis'.
        let Self { registrars, aggregators, treasury: _ } = self;
        w.length(registrars.len().saturating_sub(1));
        registrars.iter().skip(1).for_each(|key| {
            w.bytes(key);
        });
        w.length(aggregators.len().saturating_sub(1));
        aggregators.iter().skip(1).for_each(|keys| {
            w.bytes(&keys.receipt).bytes(&keys.envelope);
        });
    }
}

/// The community with the keys that were replaced since its genesis.
pub(crate) fn restore_offices(genesis: &Community, r: &mut Reader<'_>) -> Result<Community, SavedFault> {
    let mut community = genesis.clone();
    let mut replace = |keys| -> Result<(), SavedFault> {
        community = community.with_office(keys).map_err(|_| SavedFault::Misfit { what: "offices" })?;
        Ok(())
    };
    for _ in 0..r.length("registrars", usize::MAX, 32)? {
        replace(NewKeys::Registrar(r.array("registrar's key")?))?;
    }
    for _ in 0..r.length("aggregators", usize::MAX, 64)? {
        let receipt = r.array("receipt key")?;
        replace(NewKeys::Aggregator(AggregatorKeys { receipt, envelope: r.array("envelope key")? }))?;
    }
    Ok(community)
}

impl Register {
    pub(crate) fn save(&self, w: &mut Writer) {
        // What is left out follows from the certificates.
        let Self {
            members,
            by_account,
            by_point: _,
            next_number,
            import_wh: _,
            export_wh: _,
            sequence,
            digest,
        } = self;
        w.length(members.len());
        for (number, Member { certificate, suspended }) in members {
            w.u32(*number).u8(u8::from(*suspended));
            certificate.write(w);
        }
        let left = by_account.iter().filter(|(_, number)| !members.contains_key(number));
        w.length(left.clone().count());
        left.for_each(|(account, number)| {
            w.bytes(account).u32(*number);
        });
        w.u8(u8::from(next_number.is_some())).u32(next_number.unwrap_or(0));
        w.u64(*sequence).bytes(digest);
    }
}

/// The members. That each certificate is what the registrar has signed is not looked at: the orders are in blocks that were
/// executed.
pub(crate) fn restore_register(community: &Community, r: &mut Reader<'_>) -> Result<Register, SavedFault> {
    let params = community.params();
    let mut register = Register::empty();
    for _ in 0..r.length("members", params.max_members as usize, LEAST_BYTES)? {
        let number = r.u32("account number")?;
        let suspended = read_flag(r, "suspended")?;
        let certificate = Certificate::read(r)?;
        let placed = register.place(params, number, &certificate);
        placed.map_err(|_| SavedFault::Misfit { what: "members" })?;
        register.by_account.insert(certificate.account, number);
        register.members.insert(number, Member { certificate, suspended });
    }
    for _ in 0..r.length("accounts of members that have left", usize::MAX, 36)? {
        let account = r.array("account")?;
        register.by_account.insert(account, r.u32("account number")?);
    }
    let is_there = read_flag(r, "next number")?;
    let number = r.u32("next number")?;
    register.next_number = is_there.then_some(number);
    (register.sequence, register.digest) = (r.u64("registrar's sequence")?, r.array("digest of orders")?);
    Ok(register)
}
