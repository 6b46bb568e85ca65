//! The check at the end: one ledger.

use super::{LocalnetError, Network};
use std::time::Duration;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_ledger::block::{BlockHeader, split};

/// What all validators agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The height that was compared: the lowest last one.
    pub height: u64,
    /// The block's hash.
    pub block_hash: [u8; 32],
    /// The state root before the block, which its hash covers.
    pub prior_state_root: [u8; 32],
}

/// Compares the last block that every running validator has. A block names its parent and the state root before it, so that
/// one equal hash stands for the whole ledger and the states along it.
pub(super) async fn check_agreement(network: &Network, running: &[u16]) -> Result<Agreement, LocalnetError> {
    let options = ClientOptions::default();
    let mut clients = Vec::with_capacity(running.len());
    let mut height = u64::MAX;
    for validator in running {
        let client = Client::new(&network.validator_url(*validator), &options)?;
        height = height.min(client.status().await?.height);
        clients.push((*validator, client));
    }
    let mut agreed: Option<BlockHeader> = None;
    for (validator, client) in &clients {
        let validator = *validator;
        let header = header_of(client, height).await.map_err(|reason| LocalnetError::Silent {
            validator,
            height,
            reason,
        })?;
        match &agreed {
            None => agreed = Some(header),
            Some(first) => same(validator, height, first, &header)?,
        }
    }
    let header =
        agreed.ok_or(LocalnetError::Silent { validator: 1, height, reason: "there is none".to_owned() })?;
    Ok(Agreement { height, block_hash: header.hash(), prior_state_root: header.prior_state_root })
}

async fn header_of(client: &Client, height: u64) -> Result<BlockHeader, String> {
    let blocks = client.blocks(height, 1, Duration::ZERO).await.map_err(|error| error.to_string())?;
    let block = blocks.first().ok_or_else(|| "it sends none".to_owned())?;
    let (header, _) = split(&block.block).map_err(|error| error.to_string())?;
    if header.height != height {
        return Err(format!("it sends the block of height {}", header.height));
    }
    Ok(header)
}

fn same(validator: u16, height: u64, first: &BlockHeader, header: &BlockHeader) -> Result<(), LocalnetError> {
    let (expected, found) = (first.hash(), header.hash());
    if expected != found {
        let (expected, found) = (hex::encode(expected), hex::encode(found));
        return Err(LocalnetError::Forked { validator, height, found, expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::block::Block;

    #[test]
    fn other_roots_are_a_fork() {
        let header = |root| Block::new(3, [1; 32], 5, root, vec![]).header;
        assert!(same(2, 3, &header([1; 32]), &header([1; 32])).is_ok());
        let error = same(2, 3, &header([1; 32]), &header([2; 32])).expect_err("another root");
        assert!(matches!(error, LocalnetError::Forked { validator: 2, height: 3, .. }), "{error}");
    }
}
