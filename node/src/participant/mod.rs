//! A participant: reads its orders, seals one bid per round, gets it onto the ledger, checks what came of it.
//!
//! What a member decides is `veilgrid_roles::member`, the actor that does it `veilgrid_actors::member`. Here is what lies around
//! it in a process:
//!
//! | module | what |
//! |---|---|
//! | `orders` | the file with the member's orders, and what is wrong with it |
//! | `archive`, `results`, `status` | its files |
//! | `post` | sending over HTTP |
//! | `shown` | what it shows to whoever watches the process |
//! | `run` | the process |
//!
//! # Privacy
//! Prices, quantities, fills and keys are in no log and in no message; `results.csv` alone holds them, for its owner. Every
//! member bids in every round, with zeros when it has no orders, so that absence says nothing.
//!
//! # Restart
//! The ledger is replayed from its own store and the files are looked up: a bid that was sealed is sent again as it
//! is, and no round gets a second one.

mod archive;
mod orders;
mod post;
mod results;
mod run;
mod shown;
mod status;

pub use archive::{Archive, ArchiveError, Evidence};
pub use orders::{MemberOrders, NotedFault, OrdersNote};
pub use post::HttpPost;
pub use results::Results;
pub use run::run;
pub use status::Status;

/// The desk of a member whose records are files.
pub type MemberDesk = veilgrid_roles::member::Desk<Archive, Results>;
