//! A wallet from its keys and a ledger.

use super::KeyArgs;
use crate::commands::network::ledger_source::{Ledger, LedgerArgs};
use crate::failure::Failure;
use std::ops::ControlFlow;
use std::sync::Arc;
use veilgrid_client::follower::Accepted;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_ledger::hash::Hex32;
use veilgrid_node::keyfile::{ParticipantKeys, open};
use veilgrid_node::passphrase;
use veilgrid_roles::wallet::Wallet;

/// A wallet at the end of its ledger.
pub(in crate::commands::network) struct Rebuilt<'a> {
    pub(in crate::commands::network) wallet: Wallet,
    pub(in crate::commands::network) ledger: Ledger<'a>,
}

/// Opens the key file.
pub(in crate::commands::network) fn open_keys(args: &KeyArgs) -> Result<ParticipantKeys, Failure> {
    let passphrase =
        passphrase::existing(args.passphrase_file.as_deref(), &args.key_file).map_err(Failure::input)?;
    open::<ParticipantKeys>(&args.key_file, &passphrase).map(|(_, keys)| keys).map_err(Failure::input)
}

/// Executes the ledger and follows it with the wallet of these keys, whose balance is compared with the ledger's.
pub(in crate::commands::network) fn rebuild<'a>(
    keys: &ParticipantKeys,
    args: &'a LedgerArgs,
) -> Result<Rebuilt<'a>, Failure> {
    let mut ledger = args.open()?;
    if ledger.state().accounts().is_none() {
        let text = "this ledger has no money: its market's parameters name no treasury";
        return Err(Failure::Input(text.to_owned()));
    }
    let key_epoch = ledger.state().community().genesis().key_epoch;
    let mut wallet = Wallet::new(Arc::new(Keyring::from_seed(&keys.seed)), key_epoch);
    ledger.advance(&mut |accepted| {
        follow(&mut wallet, accepted)?;
        Ok(ControlFlow::Continue(()))
    })?;
    if wallet.number().is_none() {
        return Err(Failure::Input(format!(
            "no account of this ledger has the key {}: the registrar has not enrolled it by height {}, or these are other keys",
            Hex32(wallet.account()),
            ledger.state().height()
        )));
    }
    wallet.check(ledger.state()).map_err(Failure::input)?;
    Ok(Rebuilt { wallet, ledger })
}

/// Takes a block.
pub(super) fn follow(wallet: &mut Wallet, accepted: &Accepted) -> Result<(), Failure> {
    let Accepted { state, block, effects, .. } = accepted;
    wallet.follow(state, &block.transactions, effects.all()).map_err(Failure::input)
}
