//! A participant: reads its orders, seals one bid a round, gets it onto the ledger, checks what came of it.
//!
//! | module | what |
//! |---|---|
//! | `orders` | the file with the member's orders, and what is wrong with it |
//! | `sealing` | orders to a sealed bid that is on disk |
//! | `delivery` | who is sent the bid when, in virtual time |
//! | `desk` | the ledger as this member sees it: rounds, promises, results |
//! | `archive`, `results`, `status` | its files |
//! | `post` | sending over HTTP |
//! | `run` | the process |
//!
//! # Privacy
//! Prices, quantities, fills and keys are in no log and in no message; `results.csv` alone holds them, for its owner. Every
//! member bids in every round, with zeros when it has no orders, so that absence says nothing.
//!
//! # Restart
//! The ledger is replayed from the own store and the files are looked up: a bid that was sealed is sent again as it
//! is, and no round gets a second one.

mod archive;
mod delivery;
mod desk;
mod orders;
mod post;
mod results;
mod run;
mod sealing;
mod shown;
mod status;

pub use archive::{Archive, ArchiveError, Evidence};
pub use delivery::{Answer, Delivery, Fallback, Target, Terms};
pub use desk::{Active, Counts, Desk, DeskError, Wanted};
pub use orders::{MemberOrders, NotedFault, OrdersNote};
pub use post::{HttpPost, Post};
pub use results::{Results, RoundResult};
pub use run::run;
pub use sealing::{OrderSource, SealFailure, SealTask};
pub use status::Status;
