//! A network of validators on a deterministic runtime: faults by seed, invariants after every run.
//!
//! One seed is one [`Plan`] and one run. The same seed gives the same run to the bit, so that
//! `VEILGRID_SEED=n cargo test --release -p veilgrid-simulation -- --nocapture` replays what failed, with logs by
//! `RUST_LOG`.
//!
//! # What is real
//! Four validators: consensus, block order, epochs, catching up (`veilgrid-engine`); replica, pool, gossip, key holder,
//! core (`veilgrid-roles`); keys that are generated and renewed over the ledger, sealed bids with their proofs, opening
//! shares, the whole state machine. Three to five members bid in a market of four ticks and eight bits.
//!
//! # What is simulated
//! Time and network (of the engine's runtime), disks ([`veilgrid_roles::core::MemoryJournal`] and a list for the intake's
//! journal), members that hand a bid to validators until f + 1 have acknowledged it, and the time that signatures and
//! proofs in gossip take (everything else takes none).
//!
//! # What goes wrong
//! | fault | what has to hold all the same |
//! |---|---|
//! | slow, lossy links; partitions of one or two validators | no fork; progress once they are over |
//! | a validator is killed, or its disk fails before or after a write | the same; it goes on from its disk |
//! | it comes back without its engine's store, without its journal, without both | it catches up |
//! | a double voter; invalid blocks of five kinds | none of its blocks is final, nothing refused is on the ledger |
//! | a proposer that leaves bids out | what f + 1 have acknowledged is in the round |
//! | the same, and tells bids to one honest validator alone, to which the member goes next | the same |
//! | the same, tells nobody, and leads the last block of an epoch, which begins the grace, and the next one's first | the same |
//! | the same, tells nobody, and the times of its blocks are as far ahead as allowed, while an honest clock is slow | the same |
//! | a flood of gossip at the rate that the network allows: garbage, bids with false signatures, bids with false proofs that members have signed, messages that fill a queue while those are verified, the same true bids again and again | the same; shares, key events and bids of others come in time; no round is void; what is false costs one message a minute, and no proof when a signature is false; nothing is verified twice |
//! | false opening shares | skipped and named; the round clears |
//! | two stories of one dealer; false deliveries to one, two or three; a silent dealer | one set of keys, the same everywhere; the dealer is named, honest ones are not |
//! | members that seal two different bids | one of them counts |
//!
//! At most one validator (f of four) is faulty at a time; any number may be cut off.
//!
//! # What is checked
//! One chain and one state root at each height; keys never change once they are there; every opened sum is on the path
//! of the clearing of the plain orders, with its value, and the outcome is theirs; every share that an honest validator
//! sends was asked for by a final state; every round of the calendar is on the ledger once, and ends cleared or void
//! for its right reason; a bid that f + 1 validators acknowledged is in its round; no honest validator is named for a
//! false message or convicted as a dealer; false dealers and false shares are named; no alarm of a key holder; no
//! engine stops by itself; a round that opens after the last fault clears within [`PROGRESS_MS`], and every eighth plan
//! without a false validator runs until all hold shares again, within [`SHARES_MS`]. `tests/checks.rs` falsifies the
//! records of runs and sees each check fail; and it undoes rules ([`Rule`]) and sees that the attacker whom a rule is
//! against finds the gap in one of the seeds of continuous integration. The grace over an epoch's end is undone for the ledger
//! and for intakes at once: the engine's epochs are shorter than theirs, so that neither knows of the end.
//!
//! Those attackers who keep bids from others have a network that nothing disturbs, members that come to them first and
//! late, and an honest majority that goes by the weakest parameters that the rules allow (one block of grace).
//!
//! # What is no failure
//! - A round that is void at its deadline while validators are cut off or hold no shares.
//! - An acknowledged bid that misses its round while the network is not timely: nothing else is promised
//!   (`protocol-spec/threats.md`). Timely means that no link was slow, lossy or cut from three seconds before the
//!   acknowledgement until the close. [`Report::missed_untimely`] counts them.
//! - An honest dealer that is excluded as silent while it was down or could not be heard.
//! - A validator that lost its engine's store votes again in views in which it has voted; its peers refuse it for a
//!   minute. It counts as faulty from its start on, and has caught up within [`FORGETFUL_MS`].
//! - Secrets are only lost while all others hold shares: two of four validators without shares are more than f.
//!
//! # What is not covered
//! Processes, files and HTTP (the node's tests), real connections (the engine's loopback tests), other sizes than four
//! validators, changes of validators, clocks that differ in other ways, more than one message story at a time (a
//! validator that is false in several ways), floods of connections and of bids from members, pruning, the aggregator's
//! relay, and members' decryption of their fills. Time passes in a validator for gossip's signatures and proofs alone:
//! what is done under the engine's mutex takes none, so that work which belongs outside of it is not seen as delay but
//! counted.

mod burden;
mod check;
mod chronicle;
mod clients;
mod dice;
mod flood;
mod forger;
mod hold;
mod liar;
mod market;
mod misbehaviour;
mod plan;
mod run;
mod sabotage;
mod seed;
mod undone;
mod validator;
mod wire;
mod world;

pub use market::VALIDATORS;
pub use misbehaviour::{Flood, InvalidBlock, Misbehaviour};
pub use plan::{Kept, Plan, Sabotage, Step};
pub use run::{Broken, FORGETFUL_MS, PROGRESS_MS, Report, SHARES_MS, run};
pub use undone::Rule;
