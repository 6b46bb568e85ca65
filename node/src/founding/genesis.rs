//! Assembling block 0 of a network.

use super::{FoundingError, FoundingPlan, PublicPart};
use rand_core::CryptoRngCore;
use veilgrid_client::genesis::GenesisFile;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};

/// The number of a network's first key session.
const FIRST_SESSION: u64 = 1;

/// Makes block 0 from the plan and everybody's public parts; validators are numbered in the order in which they come.
///
/// # Errors
/// [`FoundingError`]: not exactly one aggregator, one registrar and, with money, one treasury, keys of another epoch, and every rule of the genesis.
pub fn assemble(
    plan: &FoundingPlan,
    parts: &[PublicPart],
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<GenesisFile, FoundingError> {
    let (mut validators, mut aggregators, mut registrars) = (vec![], vec![], vec![]);
    let (mut treasuries, mut members) = (vec![], vec![]);
    for part in parts {
        match *part {
            PublicPart::Validator { signing_key, consensus_key, envelope_key } => {
                validators.push(ValidatorEntry {
                    signing_key: signing_key.0,
                    consensus_key: consensus_key.0,
                    envelope_key: envelope_key.0,
                });
            }
            PublicPart::Aggregator { receipt_key, envelope_key } => {
                aggregators.push((receipt_key, envelope_key))
            }
            PublicPart::Registrar { registrar_key } => registrars.push(registrar_key),
            PublicPart::Treasury { treasury_key } => treasuries.push(treasury_key.0),
            PublicPart::Asker { asker_key } => {
                return Err(FoundingError::Asker { key: asker_key.to_string() });
            }
            PublicPart::Participant { account_key, key_epoch } if key_epoch != plan.key_epoch => {
                let (account, expected) = (account_key.to_string(), plan.key_epoch);
                return Err(FoundingError::KeyEpoch { account, found: key_epoch, expected });
            }
            PublicPart::Participant { account_key, .. } => members.push(account_key.0),
        }
    }
    let [(receipt_key, envelope_key)] = aggregators[..] else {
        return Err(FoundingError::Aggregators { found: aggregators.len() });
    };
    let [registrar_key] = registrars[..] else {
        return Err(FoundingError::Registrars { found: registrars.len() });
    };
    let treasury = match (&treasuries[..], plan.market.money.is_some()) {
        ([], false) => None,
        ([treasury], true) => Some(*treasury),
        (_, true) => return Err(FoundingError::Treasuries { found: treasuries.len() }),
        (_, false) => return Err(FoundingError::TreasuryWithoutMoney),
    };
    members.sort_unstable();
    if let Some((account, _)) = members.iter().zip(members.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(FoundingError::Repeated { account: hex::encode(account) });
    }
    let params = plan.params(u16::try_from(validators.len()).unwrap_or(u16::MAX), treasury)?;
    // The registrar gives them connection points with names, and other limits, once it has the ledger.
    let members = Certificate::of_accounts(&params, plan.key_epoch, members);
    let mut nonce = [0u8; 32];
    rng.fill_bytes(&mut nonce);
    let genesis = Genesis {
        format_version: FORMAT_VERSION,
        nonce,
        params,
        roster: Roster { validators },
        aggregator_receipt_key: receipt_key.0,
        aggregator_envelope_key: envelope_key.0,
        registrar_key: registrar_key.0,
        members,
        key_epoch: plan.key_epoch,
        first_session: FIRST_SESSION,
    };
    Ok(GenesisFile::of(genesis.checked()?, now_unix_ms))
}
