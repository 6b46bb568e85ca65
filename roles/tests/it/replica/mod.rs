//! Four replicas without an engine: rounds from open to settled, votes, forks, pool and gossip.

mod epochs;
mod forks;
mod gossip;
mod life;
mod members;
mod network;
mod pool;
mod votes;
