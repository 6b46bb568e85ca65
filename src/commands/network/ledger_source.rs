//! A ledger from wherever its reader has it: an exported file, a data folder, or nodes. Certificates are checked and every
//! transaction is executed in each case, by the rules of a follower.

use super::validators::Reach;
use crate::commands::audit::read_failure;
use crate::commands::export::copy_of_read_only;
use crate::failure::Failure;
use crate::input;
use clap::Args;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use veilgrid_api::CertifiedBlock;
use veilgrid_client::follower::{Accepted, Chain, FollowerError, QuorumCertificates};
use veilgrid_client::{Client, ClientError};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{Exported, LedgerReader};
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::DecodeContext;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_node::start::block_on;
use veilgrid_store::Store;

/// Blocks that are checked together.
const BATCH: usize = 64;
/// Most blocks that a node may send without a certificate that covers them: a network certifies nearly every one.
const MOST_UNCOVERED: usize = 1024;

/// Where the ledger comes from.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// An exported ledger, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "url"])]
    pub ledger: Option<PathBuf>,
    /// The ledger in the data folder of a process that is stopped (DATA_DIR/ledger)
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub store: Option<PathBuf>,
    /// HTTP addresses of nodes; nothing that they say is believed before its certificate is checked
    #[arg(long, value_name = "URL", num_args = 1.., requires = "genesis")]
    pub url: Vec<String>,
    /// Hash of the genesis block that you trust, 64 hex digits; needed with --url
    #[arg(long, value_name = "HASH")]
    pub genesis: Option<String>,
    /// How nodes are reached
    #[command(flatten)]
    pub reach: Reach,
}

type Reader = LedgerReader<BufReader<Box<dyn Read>>>;

enum Source {
    File { path: PathBuf, reader: Box<Reader> },
    Store { store: Box<Store>, _copy: Option<TempDir> },
    Nodes,
}

/// A ledger that is executed block after block.
pub(super) struct Ledger<'a> {
    args: &'a LedgerArgs,
    source: Source,
    chain: Chain<QuorumCertificates>,
    /// Blocks behind the last accepted one that no certificate covers yet.
    pending: Vec<CertifiedBlock>,
}

/// What is done with each accepted block, and whether to go on.
pub(super) type Step<'a> = &'a mut dyn FnMut(&Accepted) -> Result<ControlFlow<()>, Failure>;

impl LedgerArgs {
    pub(super) fn clients(&self) -> Result<Vec<Client>, Failure> {
        self.url.iter().map(|url| self.reach.client(url)).collect()
    }

    /// Reads the genesis and checks it.
    pub(super) fn open(&self) -> Result<Ledger<'_>, Failure> {
        let (source, genesis) = match (&self.ledger, &self.store) {
            (Some(path), _) => {
                let reader = LedgerReader::new(BufReader::new(input::open(path)?));
                let mut reader = Box::new(reader.map_err(|error| read_failure(path, error))?);
                let first = next_of(path, &mut reader)?;
                (Source::File { path: path.clone(), reader }, first)
            }
            (None, Some(dir)) => {
                let (store, copy) = open_store(dir)?;
                let first = stored(&store, 0)?;
                (Source::Store { store: Box::new(store), _copy: copy }, first)
            }
            (None, None) if !self.url.is_empty() => (Source::Nodes, Some(self.fetch_genesis()?)),
            (None, None) => {
                let text = "name a ledger: --ledger FILE, --store DIR, or --url URL with --genesis HASH";
                return Err(Failure::Input(text.to_owned()));
            }
        };
        let genesis = genesis.ok_or_else(|| Failure::Input("the ledger has no blocks".to_owned()))?;
        let block = Block::from_bytes(&genesis.block, &DecodeContext::Genesis)
            .map_err(|error| Failure::Input(format!("the ledger's first block is no genesis: {error}")))?;
        self.check_genesis(&block)?;
        let state = State::from_genesis_block(&block).map_err(Failure::input)?;
        let chain = Chain::new(state, Arc::new(block), None, QuorumCertificates);
        Ok(Ledger { args: self, source, chain, pending: Vec::new() })
    }

    fn check_genesis(&self, block: &Block) -> Result<(), Failure> {
        let Some(trusted) = &self.genesis else { return Ok(()) };
        let trusted: Hex32 = trusted.parse().map_err(Failure::input)?;
        let found = Hex32(block.hash());
        if found != trusted {
            return Err(Failure::Input(format!(
                "the genesis of this ledger has the hash {found}, trusted is {trusted}: it is another network's"
            )));
        }
        Ok(())
    }

    fn fetch_genesis(&self) -> Result<CertifiedBlock, Failure> {
        let clients = self.clients()?;
        let fetched = block_on(async {
            let mut last = None;
            for client in &clients {
                match client.genesis().await {
                    Ok(block) => return Ok(block),
                    Err(error) => last = Some(Failure::input(error)),
                }
            }
            Err(last.unwrap_or_else(|| Failure::Input("name a node (--url)".to_owned())))
        });
        Ok(CertifiedBlock { block: fetched.map_err(Failure::input)??, certificate: None })
    }
}

fn open_store(dir: &Path) -> Result<(Store, Option<TempDir>), Failure> {
    if !dir.join("db").exists() {
        return Err(Failure::file(dir, "no ledger is here; a process keeps it in DATA_DIR/ledger"));
    }
    let copy = copy_of_read_only(dir)?;
    let store = Store::open(copy.as_ref().map_or(dir, |copy| copy.path())).map_err(Failure::input)?;
    Ok((store, copy))
}

fn stored(store: &Store, height: u64) -> Result<Option<CertifiedBlock>, Failure> {
    let Some(block) = store.block_bytes(height).map_err(Failure::input)? else { return Ok(None) };
    let certificate = store.certificate(height).map_err(Failure::input)?;
    Ok(Some(CertifiedBlock { block, certificate }))
}

fn next_of(path: &Path, reader: &mut Reader) -> Result<Option<CertifiedBlock>, Failure> {
    match reader.exported().next().transpose().map_err(|error| read_failure(path, error))? {
        None => Ok(None),
        Some(Exported::Block(block, certificate)) => {
            Ok(Some(CertifiedBlock { block: block.to_bytes(), certificate }))
        }
        Some(Exported::Pruned(..) | Exported::Checkpoint(_)) => {
            let text = "bids were dropped from this copy of the ledger, and with them what only their owners can read; take a \
                        copy of somebody who keeps them all: the aggregator, or your own participant";
            Err(Failure::file(path, text))
        }
    }
}

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The step asked for it.
    Broken,
    /// There are no more certified blocks.
    AtEnd,
}

impl Ledger<'_> {
    /// The state after the last accepted block.
    pub(super) fn state(&self) -> &State {
        self.chain.state()
    }

    /// Executes all blocks that there are.
    pub(super) fn advance(&mut self, step: Step<'_>) -> Result<Ended, Failure> {
        match self.source {
            Source::Nodes => {
                let clients = self.args.clients()?;
                block_on(self.advance_by(&clients, Duration::ZERO, step)).map_err(Failure::input)?
            }
            _ => loop {
                let run = self.local_run()?;
                if run.is_empty() {
                    return Ok(Ended::AtEnd);
                }
                match self.take(run, step) {
                    Ok(Ended::Broken) => return Ok(Ended::Broken),
                    Ok(Ended::AtEnd) => {}
                    Err(Asked::Failed(failure)) => return Err(failure),
                    Err(Asked::Node(why)) => return Err(Failure::Audit(why)),
                }
            },
        }
    }

    /// Follows nodes until the step ends it, or for so long.
    pub(super) fn wait(&mut self, wait_s: u64, step: Step<'_>) -> Result<Ended, Failure> {
        for _ in 0..wait_s {
            // Connections belong to the runtime on which they were opened.
            let clients = self.args.clients()?;
            let ended = block_on(self.advance_by(&clients, Duration::from_secs(1), step));
            if ended.map_err(Failure::input)?? == Ended::Broken {
                return Ok(Ended::Broken);
            }
        }
        Ok(Ended::AtEnd)
    }

    /// Asks one node after another for what it has beyond what is known: the highest certified block of any counts.
    async fn advance_by(
        &mut self,
        clients: &[Client],
        poll: Duration,
        step: Step<'_>,
    ) -> Result<Ended, Failure> {
        let (mut last, mut answered) = (None, false);
        for client in clients {
            self.pending.clear();
            match self.drain(client, poll, step).await {
                Ok(Ended::Broken) => return Ok(Ended::Broken),
                Ok(Ended::AtEnd) => answered = true,
                // Others may answer, and tell the truth.
                Err(Asked::Node(why)) => last = Some(why),
                Err(Asked::Failed(failure)) => return Err(failure),
            }
        }
        match last {
            Some(why) if !answered => Err(Failure::Input(why)),
            _ => Ok(Ended::AtEnd),
        }
    }

    async fn drain(&mut self, client: &Client, poll: Duration, step: Step<'_>) -> Result<Ended, Asked> {
        loop {
            let known = self.state().height().saturating_add(self.pending.len() as u64);
            let run = client.blocks(known.saturating_add(1), BATCH, poll).await;
            let run = run.map_err(|error: ClientError| Asked::Node(error.to_string()))?;
            if run.is_empty() {
                return Ok(Ended::AtEnd);
            }
            let taken = self.take(run, step).map_err(|asked| match asked {
                Asked::Node(why) => Asked::Node(format!("{}: {why}", client.name())),
                failed => failed,
            })?;
            if taken == Ended::Broken {
                return Ok(Ended::Broken);
            }
            if self.pending.len() > MOST_UNCOVERED {
                let why = format!("{}: it sends blocks without certificates", client.name());
                return Err(Asked::Node(why));
            }
        }
    }

    fn local_run(&mut self) -> Result<Vec<CertifiedBlock>, Failure> {
        let mut run = Vec::new();
        let mut height = self.state().height().saturating_add(self.pending.len() as u64);
        while run.len() < BATCH {
            height = height.saturating_add(1);
            let next = match &mut self.source {
                Source::File { path, reader } => next_of(path, reader)?,
                Source::Store { store, .. } => stored(store, height)?,
                Source::Nodes => None,
            };
            let Some(next) = next else { break };
            run.push(next);
        }
        Ok(run)
    }

    fn take(&mut self, run: Vec<CertifiedBlock>, step: Step<'_>) -> Result<Ended, Asked> {
        self.pending.extend(run);
        let taken = self.chain.take(&self.pending, &mut VerifyAll).map_err(|error| match error {
            FollowerError::Fork(_) => Asked::Failed(Failure::Audit(error.to_string())),
            other => Asked::Failed(Failure::input(other)),
        })?;
        self.pending.drain(..taken.accepted.len().min(self.pending.len()));
        // All of them, whatever the step says: whoever takes the blocks ends where the ledger does.
        let mut ended = Ended::AtEnd;
        for accepted in &taken.accepted {
            if step(accepted).map_err(Asked::Failed)?.is_break() {
                ended = Ended::Broken;
            }
        }
        // What was accepted before the fault stands.
        let fault = taken.fault.filter(|_| ended == Ended::AtEnd);
        fault.map_or(Ok(ended), |fault| Err(Asked::Node(fault.to_string())))
    }
}

/// Why no more blocks come.
enum Asked {
    /// Of this source: another one may have them.
    Node(String),
    /// Of any source.
    Failed(Failure),
}
