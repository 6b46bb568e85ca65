//! Accounts in a saved state ([`crate::state::saved`]).

use super::account::Account;
use super::accounts::{Accounts, Unpaid};
use super::snapshot::Snapshot;
use super::unclaimed::Unclaimed;
use crate::members::order::AccountNumber;
use crate::rounds::encoding::{read_outcome, write_outcome};
use crate::state::State;
use crate::state::round::Slot;
use crate::state::saved::SavedFault;
use curve25519_dalek::ristretto::RistrettoPoint;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::group::{decode_any_point, encode_point};
use veilgrid_crypto::money::claim::Fill;
use veilgrid_crypto::opening::{OpeningShare, verify_share};
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// More than any opening share has.
const MAX_SHARE_BYTES: usize = 1024;

fn read_point(r: &mut Reader<'_>) -> Result<RistrettoPoint, WireError> {
    decode_any_point("point of an account", &r.array("point of an account")?)
}

fn read_i128(r: &mut Reader<'_>) -> Result<i128, WireError> {
    Ok(i128::from_le_bytes(r.array("amount")?))
}

fn read_u128(r: &mut Reader<'_>) -> Result<u128, WireError> {
    Ok(u128::from_le_bytes(r.array("amount")?))
}

impl Snapshot {
    pub(crate) fn save(&self, w: &mut Writer) {
        let Self { free_and_debits, digest: _ } = self;
        w.length(free_and_debits.len());
        for (number, point) in free_and_debits {
            w.u32(*number).bytes(&encode_point(point));
        }
    }

    pub(crate) fn restore(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.length("accounts of a snapshot", usize::MAX, 36)?;
        let entries = (0..count).map(|_| Ok((r.u32("account number")?, read_point(r)?)));
        Ok(Self::new(entries.collect::<Result<BTreeMap<_, _>, WireError>>()?))
    }
}

impl Account {
    fn save(&self, w: &mut Writer) {
        w.blob(&self.to_bytes());
    }

    fn restore(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let mut account = Self::new(r.array("account key")?);
        (account.r, account.c, account.debits) =
            (read_point(&mut r)?, read_point(&mut r)?, read_point(&mut r)?);
        account.debit_sequence = r.u64("debit sequence")?;
        for _ in 0..r.length("costs that are held back", usize::MAX, 40)? {
            let round_id = r.u64("round")?;
            account.reserves.insert(round_id, read_point(&mut r)?);
        }
        r.finish()?;
        Ok(account.with_leaf())
    }
}

impl Unclaimed {
    fn save(&self, w: &mut Writer) {
        let Self { round_id, slot, outcome, settled_ms, bid_set, fills_digest, shares, open } = self;
        w.u64(*round_id).i64(slot.start_unix_s).u32(slot.seconds);
        write_outcome(w, outcome);
        w.u64(*settled_ms).bytes(bid_set).bytes(fills_digest).length(open.len());
        for (number, Fill { account, bid, r, sides }) in open {
            w.u32(*number).bytes(account).bytes(bid).bytes(r).bytes(sides.as_flattened());
        }
        w.length(shares.len());
        shares.iter().for_each(|(share, _)| {
            w.blob(&share.to_bytes());
        });
    }

    /// Without its shares, which come back beside it.
    fn restore(r: &mut Reader<'_>) -> Result<(Self, Vec<OpeningShare>), WireError> {
        let round_id = r.u64("round")?;
        let slot = Slot { start_unix_s: r.i64("slot")?, seconds: r.u32("slot length")? };
        let outcome = read_outcome(r)?;
        let (settled_ms, bid_set) = (r.u64("time of the settlement")?, r.array("digest of bids")?);
        let fills_digest = r.array("digest of fills")?;
        let count = r.length("fills", usize::MAX, 4 + 5 * 32)?;
        let mut open: BTreeMap<AccountNumber, Fill> = BTreeMap::new();
        for _ in 0..count {
            let number = r.u32("account number")?;
            let (account, bid, r_bytes) = (r.array("account")?, r.array("bid")?, r.array("R of the bid")?);
            let sides = [r.array("side")?, r.array("side")?];
            open.insert(number, Fill { account, bid, r: r_bytes, sides });
        }
        let count = r.length("shares", usize::MAX, 1)?;
        let shares = (0..count).map(|_| OpeningShare::from_bytes(r.blob("share", MAX_SHARE_BYTES)?));
        let shares = shares.collect::<Result<_, _>>()?;
        let mut unclaimed = Self::new(round_id, slot, outcome, settled_ms, bid_set, open);
        // Of all fills, claimed or not.
        unclaimed.fills_digest = fills_digest;
        Ok((unclaimed, shares))
    }
}

impl Accounts {
    pub(crate) fn save(&self, w: &mut Writer) {
        let Self {
            accounts,
            unclaimed,
            unpaid,
            treasury_sequence,
            deposited_ct,
            withdrawn_ct,
            community_units,
        } = self;
        w.length(accounts.len());
        for (number, account) in accounts {
            w.u32(*number);
            account.save(w);
        }
        w.length(unclaimed.len());
        unclaimed.values().for_each(|unclaimed| unclaimed.save(w));
        w.length(unpaid.len());
        for ((number, debit_sequence), Unpaid { amount_ct, since_unix_ms }) in unpaid {
            w.u32(*number).u64(*debit_sequence).u64(*amount_ct).u64(*since_unix_ms);
        }
        w.u64(*treasury_sequence).bytes(&deposited_ct.to_le_bytes());
        w.bytes(&withdrawn_ct.to_le_bytes()).bytes(&community_units.to_le_bytes());
    }
}

impl State {
    pub(crate) fn restore_accounts(&mut self, r: &mut Reader<'_>) -> Result<(), SavedFault> {
        let mut accounts = BTreeMap::new();
        for _ in 0..r.length("accounts", usize::MAX, 4)? {
            let number = r.u32("account number")?;
            let bytes = r.blob("account", usize::MAX)?;
            accounts.insert(number, Arc::new(Account::restore(bytes)?));
        }
        let (mut unclaimed, mut shares) = (BTreeMap::new(), Vec::new());
        for _ in 0..r.length("rounds that are not claimed", usize::MAX, 1)? {
            let (one, its_shares) = Unclaimed::restore(r)?;
            shares.extend(its_shares.into_iter().map(|share| (one.round_id(), share)));
            unclaimed.insert(one.round_id(), Arc::new(one));
        }
        let mut unpaid = BTreeMap::new();
        for _ in 0..r.length("withdrawals", usize::MAX, 28)? {
            let (number, sequence) = (r.u32("account number")?, r.u64("debit sequence")?);
            let one = Unpaid { amount_ct: r.u64("amount")?, since_unix_ms: r.u64("time of a withdrawal")? };
            unpaid.insert((number, sequence), one);
        }
        self.accounts = Some(Arc::new(Accounts {
            accounts,
            unclaimed,
            unpaid,
            treasury_sequence: r.u64("treasury's sequence")?,
            deposited_ct: read_u128(r)?,
            withdrawn_ct: read_u128(r)?,
            community_units: read_i128(r)?,
        }));
        shares.into_iter().try_for_each(|(round, share)| self.restore_claim_share(round, share))
    }

    /// A share of an overdue claim, verified again.
    fn restore_claim_share(&mut self, round: u64, share: OpeningShare) -> Result<(), SavedFault> {
        let misfit = SavedFault::Opened { round };
        let request = self.claim_request(round).ok_or_else(|| misfit.clone())?;
        let keys = self.community.keys().ok_or_else(|| misfit.clone())?;
        let verified = verify_share(&request.context, &request.weights, keys, &request.r_total, &share);
        let verified = verified.map_err(|_| misfit)?;
        if let Some(accounts) = self.accounts_mut() {
            accounts.add_share(round, (share, verified));
        }
        Ok(())
    }
}
