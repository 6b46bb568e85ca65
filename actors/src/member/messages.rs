//! What a member is told.

use actix::Message;
use std::sync::Arc;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_roles::member::DeskError;

/// The next final block, which somebody else has executed. An error means that the member can't go on.
#[derive(Message, Clone)]
#[rtype(result = "Result<(), DeskError>")]
pub struct Observe {
    /// The block.
    pub block: Arc<Block>,
    /// The state after it.
    pub state: State,
    /// What it did.
    pub effects: Arc<BlockEffects>,
}

/// Time has gone on: the member begins what is due. An error means that it can't go on.
#[derive(Message, Clone, Copy)]
#[rtype(result = "Result<(), DeskError>")]
pub struct Turn;
