//! A validator that attacks: it votes and proposes as it should, so that nobody misses it, and sends whatever it is given as
//! gossip, at the rate that the engine allows.

use super::LoadError;
use rand_core::OsRng;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_client::genesis::read_genesis;
use veilgrid_engine::{
    Application, ApplicationError, EngineConfig, EngineHandle, GossipWork, Proposal, Timing, blocks_kept,
};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_node::config::{self, PeerConfig, ValidatorConfig};
use veilgrid_node::keyfile::{self, ValidatorKeys};
use veilgrid_node::passphrase;
use veilgrid_roles::core::{MemoryJournal, ValidatorCore};
use veilgrid_roles::keyholder::KeyHolder;
use veilgrid_roles::replica::{self, Limits};

/// Messages that are handed to the engine at once: what it sends in one of its ticks.
const AT_ONCE: usize = 2;
/// How long the place that an honest validator has left may be taken still.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

/// What it sends, in turn and for ever; nothing while there is nothing.
#[derive(Default)]
struct Messages {
    messages: Vec<Vec<u8>>,
    next: usize,
    sent: u64,
}

/// The attacker in this process, in the place of a validator whose own process has ended. Dropping it ends the attack.
pub struct HostileValidator {
    engine: EngineHandle,
    messages: Arc<Mutex<Messages>>,
}

impl HostileValidator {
    /// Takes the place of the validator with this folder. It sends nothing yet.
    ///
    /// # Errors
    /// [`LoadError::Start`]: files of the validator that can't be read, a port that stays taken.
    pub(super) fn start(home: &Path, storage_dir: &Path) -> Result<Self, LoadError> {
        let fault = |error: &dyn std::fmt::Display| LoadError::Start(format!("{}: {error}", home.display()));
        let config: ValidatorConfig =
            config::load(&home.join("validator.toml"), &Vec::new()).map_err(|error| fault(&error))?;
        let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)
            .map_err(|error| fault(&error))?;
        let (_, keys) =
            keyfile::open::<ValidatorKeys>(&config.key_file, &passphrase).map_err(|error| fault(&error))?;
        let trusted = config.genesis_hash.map(|hash| hash.0);
        let genesis = read_genesis(&config.genesis, trusted.as_ref()).map_err(|error| fault(&error))?;
        let state = State::from_genesis_block(&genesis).map_err(|error| fault(&error))?;
        let resolve = |peer: &PeerConfig| {
            let address = peer.address.resolve().map_err(|error| fault(&error))?;
            Ok((peer.consensus_key.0, address))
        };
        let peers = config.p2p.peers.iter().map(resolve).collect::<Result<Vec<_>, LoadError>>()?;
        let messages = Arc::<Mutex<Messages>>::default();
        let began = Stopwatch::start();
        loop {
            let config = EngineConfig {
                ledger_id: state.community().ledger_id(),
                consensus_secret: keys.consensus_seed.clone(),
                listen: config.p2p.listen,
                peers: peers.clone(),
                storage_dir: storage_dir.to_owned(),
                max_block_bytes: Limits::default().max_block_bytes,
                epoch_blocks: state.timing().epoch_blocks,
                blocks_kept: blocks_kept(state.timing().epoch_blocks),
                decode: state.community().decode_context(),
                timing: Timing::default(),
                start: None,
                witness: None,
            };
            let holder = KeyHolder::new(keys.signing.clone());
            let (state, journal) = (state.clone(), MemoryJournal::new());
            let core = ValidatorCore::new(genesis.clone(), state, holder, journal, OsRng, Limits::default());
            let core = core.map_err(|error| fault(&error))?;
            let application = Hostile { core, messages: messages.clone() };
            match veilgrid_engine::start(config, Arc::new(Mutex::new(application))) {
                Ok(engine) => return Ok(Self { engine, messages }),
                Err(error) if began.elapsed() > PORT_FREE_WITHIN => return Err(fault(&error)),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    /// What is sent from now on, again and again.
    pub fn send(&self, messages: Vec<Vec<u8>>) {
        let mut sending = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        (sending.messages, sending.next) = (messages, 0);
    }

    /// Messages that were handed to the engine since the start; each goes to all others.
    pub fn sent(&self) -> u64 {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).sent
    }

    /// Whether it still attacks.
    pub fn is_alive(&self) -> bool {
        self.engine.is_alive()
    }
}

/// Its state machine: that of any validator, which brings more messages than it should.
struct Hostile {
    core: ValidatorCore<MemoryJournal, OsRng>,
    messages: Arc<Mutex<Messages>>,
}

impl Messages {
    /// What goes out next.
    fn take(&mut self) -> Vec<Vec<u8>> {
        if self.messages.is_empty() {
            return Vec::new();
        }
        let some: Vec<Vec<u8>> =
            self.messages.iter().cycle().skip(self.next).take(AT_ONCE).cloned().collect();
        self.next = self.next.wrapping_add(AT_ONCE) % self.messages.len();
        self.sent = self.sent.saturating_add(some.len() as u64);
        some
    }
}

impl Application for Hostile {
    fn genesis(&self) -> Block {
        self.core.genesis()
    }

    fn height(&self) -> u64 {
        self.core.height()
    }

    fn knows(&self, block: &Hash) -> bool {
        self.core.knows(block)
    }

    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError> {
        Ok(self.core.learn(block)?)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        match self.core.propose(parent, now_unix_ms) {
            replica::Proposal::Block(block) => Proposal::Block(block),
            replica::Proposal::Wait { ms } => Proposal::Wait { ms },
        }
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError> {
        Ok(self.core.check(block, now_unix_ms)?)
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError> {
        Ok(self.core.finalise(block, certificate)?)
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        self.core.certified(height, certificate);
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        self.core.receive(from, message);
        None
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        let mut gossip = self.core.take_gossip();
        gossip.extend(self.messages.lock().unwrap_or_else(PoisonError::into_inner).take());
        gossip
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        self.core.consensus_keys(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_turn_and_for_ever() {
        let mut messages = Messages::default();
        assert!(messages.take().is_empty(), "nothing to send");
        messages.messages = vec![vec![1], vec![2], vec![3]];
        let sent: Vec<u8> = (0..3).flat_map(|_| messages.take()).flatten().collect();
        assert_eq!(sent, [1, 2, 3, 1, 2, 3]);
        assert_eq!(messages.sent, 6);
    }
}
