//! Whether the key sessions of a set of validators fit: every message into a block, and what a validator keeps of a
//! session into its file. A set for which they don't could never be dealt shares, and every dealer would stop.

use crate::roster::RosterError;
use veilgrid_crypto::keygen::{Group, SessionContext, SessionSize, Task};

/// Most bytes of a block that a network's validators propose or vote for.
pub const MAX_NETWORK_BLOCK_BYTES: usize = 3 << 20;

/// Most bytes of a key event: a block of a network less room for its header and for what is due in it.
pub const MAX_KEY_EVENT_BYTES: usize = MAX_NETWORK_BLOCK_BYTES - (64 << 10);

/// Most bytes that a validator keeps of a session, with its key shares. What it has released has room of its own
/// beside this ([`MAX_SECRETS_BYTES`]).
pub const MAX_SESSION_BYTES: usize = 20 << 20;

/// Most bytes of a validator's secrets: a session, and 2 MiB for what it has released (64 slots, 256 openings each).
pub const MAX_SECRETS_BYTES: usize = MAX_SESSION_BYTES + (2 << 20);

/// Checks the sessions of a network's first validators, with this many keys.
///
/// # Errors
/// [`RosterError::Room`].
pub fn check_founders(founders: Group, keys: u32) -> Result<(), RosterError> {
    check(Task::Generate, founders, founders, keys)?;
    check(Task::Reshare, founders, founders, keys)
}

/// Checks the sessions of a change from one group to another: the one that hands the shares over, and those that renew
/// them afterwards.
///
/// # Errors
/// [`RosterError::Room`].
pub fn check_change(from: Group, to: Group, keys: u32) -> Result<(), RosterError> {
    check(Task::Reshare, from, to, keys)?;
    check(Task::Reshare, to, to, keys)
}

fn check(task: Task, dealers: Group, receivers: Group, keys: u32) -> Result<(), RosterError> {
    // Numbers and digests do not change any size.
    let (ledger_id, session, epoch, previous) = ([0; 32], 0, 0, [0; 32]);
    let context = SessionContext { task, ledger_id, session, epoch, dealers, receivers, keys, previous };
    let size = SessionSize::of(&context);
    let bounded = [
        ("a dealer's package", size.package_bytes, MAX_KEY_EVENT_BYTES),
        ("a delivery of shares", size.delivery_bytes, MAX_KEY_EVENT_BYTES),
        ("a validator's secrets", size.secrets_bytes, MAX_SESSION_BYTES),
    ];
    match bounded.into_iter().find(|(_, bytes, bound)| bytes > bound) {
        None => Ok(()),
        Some((what, bytes, bound)) => {
            Err(RosterError::Room { validators: receivers.validators, keys, what, bytes, bound })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(from: u16, to: u16, keys: u32) -> Result<(), &'static str> {
        check_change(Group::of(from), Group::of(to), keys).map_err(|error| match error {
            RosterError::Room { what, .. } => what,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn small_markets_have_room_for_every_set() {
        for n in [4, 24, 128] {
            assert_eq!(fits(4, n, 512), Ok(()), "{n}");
            assert_eq!(check_founders(Group::of(n), 512), Ok(()), "{n}");
        }
    }

    #[test]
    fn the_largest_grid_has_room_for_eleven() {
        let (most, keys) = (11, 8_192);
        assert_eq!(fits(4, most, keys), Ok(()));
        assert_eq!(fits(most, most, keys), Ok(()));
        assert_eq!(check_founders(Group::of(most), keys), Ok(()));
        assert_eq!(fits(most, 12, keys), Err("a delivery of shares"));
        assert_eq!(fits(4, 24, keys), Err("a dealer's package"));
        // Fewer than there are is always possible.
        assert_eq!(fits(most, 4, keys), Ok(()));
    }

    #[test]
    fn what_fits_into_blocks_fits_into_the_file() {
        // Every set of every size against the most keys that its messages have room for.
        for n in 4..=128u16 {
            let most = (1..=16_384u32).rev().step_by(64).find(|keys| {
                let fit = check_founders(Group::of(n), *keys);
                !matches!(fit, Err(RosterError::Room { bound: MAX_KEY_EVENT_BYTES, .. }))
            });
            assert_eq!(check_founders(Group::of(n), most.expect("some")), Ok(()), "{n}");
        }
    }
}
