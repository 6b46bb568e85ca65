//! What comes by gossip: the cheap rules under the caller's lock, signatures and proofs outside of it.
//!
//! ```text
//! begin (lock) --> GossipJob --run (any thread)--> CheckedGossip --conclude (lock)--> pool
//! ```
//!
//! Honest validators verify what they send. So one false bid makes the whole message false: it is dropped after one
//! batch, and nobody searches it for the culprits at the expense of the others' rounds.

use super::Replica;
use super::cost::GossipWork;
use super::error::{GossipFault, OfferRefusal, Offered};
use super::gossip::{self, Message};
use super::item::{MAX_GOSSIP_BYTES, OpeningId};
use super::pool::MAX_PER_ACCOUNT;
use super::verdicts::BidJob;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::bid::{SealedBid, check_signatures};
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::refusal::Account;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked};

/// The bids of a gossip message that are new, to be checked on any thread.
pub struct GossipJob {
    job: BidJob,
}

/// A [`GossipJob`] that was run.
pub struct CheckedGossip {
    round_id: u64,
    bids: Vec<SealedBid>,
    /// Whether it came to the proofs.
    proofs: bool,
    outcome: Result<(), GossipFault>,
}

impl GossipJob {
    /// The bids.
    pub fn bids(&self) -> &[SealedBid] {
        self.job.bids()
    }

    /// Checks the signatures of all, and only then, in one batch, the proofs.
    pub fn run(self) -> CheckedGossip {
        let BidJob { state, context, bids, terms, mut verdicts } = self.job;
        let round_id = context.round_id;
        let no_keys = GossipFault::False { count: bids.len(), first: OfferRefusal::NoKeys };
        let Some(params) = state.community().bid_params() else {
            return CheckedGossip { round_id, bids, proofs: false, outcome: Err(no_keys) };
        };
        let asked = BidsAsked { round: &context, bids: &bids, terms: terms.as_deref() };
        if let Err((at, fault)) = check_signatures(params, &asked.statements().collect::<Vec<_>>()) {
            let account = Account(bids.get(at).map_or([0; 32], |bid| bid.account));
            let first = OfferRefusal::BidInvalid { round_id, account, fault };
            let outcome = Err(GossipFault::False { count: 1, first });
            return CheckedGossip { round_id, bids, proofs: false, outcome };
        }
        let holds = verdicts.all_hold(params, asked);
        let fault = GossipFault::FalseProofs { round_id, bids: bids.len() };
        CheckedGossip { round_id, bids, proofs: true, outcome: if holds { Ok(()) } else { Err(fault) } }
    }
}

impl CheckedGossip {
    /// Bids whose signatures were checked.
    pub fn signatures(&self) -> usize {
        self.bids.len()
    }

    /// Bids whose proofs were verified after that.
    pub fn proofs(&self) -> usize {
        if self.proofs { self.bids.len() } else { 0 }
    }
}

impl Replica {
    /// Takes a gossip message of the peer with this consensus key, or says what has to be checked first; that goes to
    /// [`Self::conclude`] afterwards.
    ///
    /// # Errors
    /// What is the peer's fault. What is late, early, repeated or finds no room is dropped in silence: it comes again.
    pub fn begin(&mut self, from: &[u8; 32], message: &[u8]) -> Result<Option<GossipJob>, GossipFault> {
        let begun = self.begun(from, message);
        self.gossip_work.false_messages += u64::from(begun.is_err());
        begun
    }

    fn begun(&mut self, from: &[u8; 32], message: &[u8]) -> Result<Option<GossipJob>, GossipFault> {
        if message.len() > MAX_GOSSIP_BYTES {
            return Err(GossipFault::TooLong { bytes: message.len() });
        }
        let refusal = match gossip::decode(message, &self.state.community().decode_context())? {
            Message::Bids { round_id, bids } => return self.begin_bids(round_id, bids),
            Message::Transaction(transaction) => self.take_transaction(&transaction).err(),
            Message::Share { sharing, round_id, opening_index, share } => {
                let opening = OpeningId { sharing, round_id, opening_index };
                self.take_share_of(from, opening, share)?
            }
        };
        match refusal.filter(OfferRefusal::is_fault) {
            Some(first) => Err(GossipFault::False { count: 1, first }),
            None => Ok(None),
        }
    }

    /// Takes the bids of a job that was run, if all of them hold. The ledger may have gone on meanwhile.
    ///
    /// # Errors
    /// What is the peer's fault.
    pub fn conclude(&mut self, checked: CheckedGossip) -> Result<(), GossipFault> {
        let proofs = checked.proofs() as u64;
        self.gossip_work.signatures += checked.signatures() as u64;
        self.gossip_work.proofs += proofs;
        let CheckedGossip { round_id, bids, outcome, .. } = checked;
        if outcome.is_err() {
            self.gossip_work.false_messages += 1;
            self.gossip_work.false_proofs += proofs;
            return outcome;
        }
        if self.context_of(round_id).is_err() {
            return Ok(());
        }
        for bid in bids {
            if self.check_cheaply(round_id, &bid) == Ok(Offered::New) {
                // Whatever finds no room comes again.
                let _ = self.pool_bid(bid);
            }
        }
        Ok(())
    }

    /// [`Self::begin`], what is to be checked, and [`Self::conclude`], one after another on this thread.
    ///
    /// # Errors
    /// What is the peer's fault.
    pub fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Result<(), GossipFault> {
        match self.begin(from, message)? {
            Some(job) => self.conclude(job.run()),
            None => Ok(()),
        }
    }

    /// What gossip has cost.
    pub fn gossip_work(&self) -> GossipWork {
        self.gossip_work
    }

    /// What is known, late, early or without room goes before anything is computed; so does a message that nobody
    /// honest sends.
    fn begin_bids(&self, round_id: u64, bids: Vec<SealedBid>) -> Result<Option<GossipJob>, GossipFault> {
        let Ok(context) = self.context_of(round_id) else { return Ok(None) };
        let (mut seen, mut of_account) = (BTreeSet::new(), BTreeMap::<PointBytes, usize>::new());
        let mut new = Vec::new();
        for bid in bids {
            let count = of_account.entry(bid.account).or_default();
            *count += 1;
            if *count > MAX_PER_ACCOUNT || !seen.insert(bid.digest()) {
                return Err(GossipFault::Crowded { round_id, account: Account(bid.account) });
            }
            match self.check_cheaply(round_id, &bid) {
                Ok(Offered::New) => new.push(bid),
                Err(first) if first.is_fault() => return Err(GossipFault::False { count: 1, first }),
                _ => {}
            }
        }
        Ok(self.job(context, new).map(|job| GossipJob { job }))
    }
}
