//! What validators' gossip costs other validators, and whether it comes in time.

use crate::chronicle::End;
use crate::misbehaviour::Flood;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_roles::core::MUTED_MS;

/// How long the signature of a bid is checked, in simulated milliseconds.
const SIGNATURE_MS: u64 = 2;
/// The same of its proof: as on a slow machine, for a market of many steps.
const PROOF_MS: u64 = 40;
/// A share or key event is with everybody after this long, in milliseconds: links of a flooded network take less, proofs more.
const URGENT_MS: u64 = 130;
/// The same of bids: what every peer sends before them may have to be verified first.
const HEAVY_MS: u64 = 1_000;
/// Until then peers may not have begun to listen, in milliseconds.
const START_MS: u64 = 1_000;

/// The bids of a message whose signatures a validator has checked.
pub(crate) struct Work {
    pub(crate) validator: usize,
    pub(crate) life: u64,
    pub(crate) from: usize,
    pub(crate) signatures: usize,
    /// Bids whose proofs were verified after that.
    pub(crate) proofs: usize,
    pub(crate) bids: Vec<Hash>,
}

impl Work {
    /// How long it takes, in simulated milliseconds.
    pub(crate) fn takes_ms(&self) -> u64 {
        self.signatures as u64 * SIGNATURE_MS + self.proofs as u64 * PROOF_MS
    }
}

/// A message of an honest validator.
struct Letter {
    is_urgent: bool,
    sent_ms: u64,
    heard_ms: BTreeMap<usize, u64>,
}

/// What was seen of gossip in a run.
#[derive(Default)]
pub(crate) struct Burden {
    works: Vec<Work>,
    /// By sender and content. Only of runs with a flood, in which nothing else is wrong with the network.
    letters: BTreeMap<(usize, Vec<u8>), Letter>,
    /// Validators that computed something for a message while nobody else could use the application.
    pub(crate) under_lock: BTreeSet<usize>,
}

impl Burden {
    pub(crate) fn worked(&mut self, work: Work) {
        self.works.push(work);
    }

    /// An honest validator sends a message; a repetition is not looked at.
    pub(crate) fn sent(&mut self, from: usize, message: &[u8], is_urgent: bool, sent_ms: u64) {
        let letter = Letter { is_urgent, sent_ms, heard_ms: BTreeMap::new() };
        self.letters.entry((from, message.to_vec())).or_insert(letter);
    }

    /// A validator handles a message.
    pub(crate) fn heard(&mut self, by: usize, from: usize, message: &[u8], now_ms: u64) {
        if let Some(letter) = self.letters.get_mut(&(from, message.to_vec())) {
            letter.heard_ms.entry(by).or_insert(now_ms);
        }
    }
}

/// What does not hold of it.
pub(crate) fn check(world: &World, end_ms: u64) -> Vec<String> {
    let burden = &world.burden;
    let mut faults: Vec<String> = repeated(&burden.works);
    faults.extend(burden.under_lock.iter().map(|index| {
        format!("validator {index} has checked gossip while it could neither vote nor execute")
    }));
    if let Some(flood) = world.plan.flood() {
        faults.extend(cost_of_falsehood(world, flood, end_ms));
        faults.extend(
            burden.letters.iter().filter_map(|((from, _), letter)| late(world, *from, letter, end_ms)),
        );
        faults.extend(void_rounds(world));
    }
    faults
}

/// "What is known is not verified again, however often it is sent."
fn repeated(works: &[Work]) -> Vec<String> {
    let (mut seen, mut again) = (BTreeSet::new(), BTreeMap::<usize, usize>::new());
    for work in works {
        let known = work.bids.iter().filter(|bid| !seen.insert((work.validator, work.life, **bid))).count();
        *again.entry(work.validator).or_default() += known;
    }
    let faults = again.into_iter().filter(|(_, bids)| *bids > 0);
    faults
        .map(|(index, bids)| format!("validator {index} has verified {bids} bids again that came by gossip"))
        .collect()
}

/// "A false validator costs another one message a minute, and proofs are verified of nothing that nobody has signed."
fn cost_of_falsehood(world: &World, flood: Flood, end_ms: u64) -> Vec<String> {
    let Some(liar) = world.plan.liar() else { return Vec::new() };
    let (key, bound) = (consensus_key(liar), 1 + (end_ms / MUTED_MS) as usize);
    let mut faults = Vec::new();
    for index in world.honest() {
        let named =
            world.faults.iter().filter(|(witness, from, _)| *witness == index && *from == key).count();
        if named > bound {
            faults.push(format!(
                "validator {index} has looked at {named} false messages of the flood in {end_ms} ms, {bound} are allowed"
            ));
        }
        if named == 0 && flood != Flood::Repetitions {
            faults.push(format!("validator {index} has not noticed the flood"));
        }
        let works = world.burden.works.iter().filter(|work| work.validator == index && work.from == liar);
        let proofs: usize = works.map(|work| work.proofs).sum();
        if flood == Flood::Signatures && proofs > 0 {
            faults.push(format!(
                "validator {index} has verified {proofs} proofs of bids that nobody had signed"
            ));
        }
    }
    faults
}

/// "No flood keeps an honest validator's message from the others, nor its share behind the proofs of others' bids."
fn late(world: &World, from: usize, letter: &Letter, end_ms: u64) -> Option<String> {
    let bound_ms = if letter.is_urgent { URGENT_MS } else { HEAVY_MS };
    if letter.sent_ms < START_MS || letter.sent_ms + bound_ms >= end_ms {
        return None;
    }
    let what = if letter.is_urgent { "a share or key event" } else { "bids" };
    let others = world.honest().filter(|index| *index != from);
    let late = others.filter_map(|index| match letter.heard_ms.get(&index) {
        None => Some(format!("never came to validator {index}")),
        Some(heard_ms) => {
            let took_ms = heard_ms.saturating_sub(letter.sent_ms);
            (took_ms > bound_ms).then(|| format!("came to validator {index} after {took_ms} ms"))
        }
    });
    let late: Vec<String> = late.collect();
    (!late.is_empty()).then(|| {
        format!(
            "{what} that validator {from} sent at {} ms {} under the flood",
            letter.sent_ms,
            late.join(", ")
        )
    })
}

/// "No flood makes a round void."
fn void_rounds(world: &World) -> Vec<String> {
    let is_void = |end: &Option<(u64, End)>| {
        matches!(end, Some((_, End::Voided { reason: VoidReason::OpeningDeadline, .. })))
    };
    let void = world.chronicle.rounds.iter().filter(|(_, story)| is_void(&story.end));
    void.map(|(round_id, story)| format!("round {round_id} is void under the flood: {story:?}")).collect()
}
