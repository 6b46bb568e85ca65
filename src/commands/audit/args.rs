//! Arguments of `audit`.

use crate::page::PageLanguage;
use clap::Args;
use std::path::PathBuf;

/// What `audit --help` says after its options.
pub const HELP: &str = "\
Example:
  veilgrid audit my-day/ledger.vgl
  veilgrid audit my-net/ledger.vgl --genesis $(cat my-net/genesis.hash)
  cat my-net/ledger.vgl | veilgrid audit - --json
  veilgrid audit my-net/ledger.vgl --compare my-net/ledger.vgl
  veilgrid audit my-net/ledger.vgl --html audit.html --lang de

Is it still the ledger that I saw? --height 4711 --block HASH, as an earlier report has them. Were promises kept? --receipts \
FILE. Where do two copies part? --compare OTHER.

Exit code 0: everything holds. 1: a violation, named with its place, a damaged ledger, a receipt that was not kept, a \
copy that contradicts this one. 2: the file is no ledger, of a newer format, or can't be read.

Of a network only blocks count that a certificate of its validators covers: the block itself and all before it. Blocks \
after the last certificate are named as not final and nothing of them is counted: whoever handed you the file can have \
written them. Demo and `clear` make such ledgers too. One that an earlier version's demo made has no certificates; there \
every block counts.

Verdicts of receipts: included; included_by_digest (pruned, the digest is there); round_open, round_unknown (not over \
yet); missing, other_bid (a promise that was not kept: exit code 1); second_bid, too_few_receipts, worthless (prove \
nothing); overtaken (on a ledger with money: the account made another debit while the round took bids, so that the bid \
may have lost its place by its own account's doing; the bid itself tells); not_checkable: the round's bids are pruned in this file and the bid's digest is not among those that are left. \
It was left out, or the account had another bid there; only the bids would tell. Ask a validator that does not prune, \
or the aggregator, for its ledger.

Fields of --json: ok, violation (text or null), and when the ledger could be replayed: ledger_id, genesis_hash, \
genesis_trusted, pinned {height, block_hash} (or null), blocks, transactions (count by kind), key_generation {packages, \
proofs, keys}, bids, shares, settlement_points, conservation_checks, conservation_undetermined, rounds_cleared, \
rounds_settled, settled_rounds [{round_id, slot_start_unix_s, bids, outcome}], rounds_void, void_rounds [{round_id, reason, bids}], passed_rounds (void because no block opened them) \
[{first_round_id, last_round_id, reason}], suspended_rounds [id], rounds_unfinished [{round_id, waits_for}], \
opened_values [{round_id, opening_index, kind, tick, purpose, value_wh}], receipts [{round_id, account, bid_digest, \
sequence, verdict}], height, block_hash, state_root (of the last block that counts).
Of a network: certificates {checked, certificates, covered_blocks, covered_height, uncertified_tail}, uncovered {blocks, \
first_height, last_height, last_block_hash} (or null), key_sessions [{session, task, agreed, reason, excluded, \
lacking}], validator_changes [{epoch, validators}], members {members, suspended (both at the last block that counts), enrolled, \
updated, suspensions, left, keys_replaced (what orders of the registrar and of the validators did)}, money (null on a ledger without) {accounts, deposits, deposited_ct, \
withdrawals, withdrawn_ct, paid, unpaid, claims, claims_by_validators, unclaimed_rounds, unclaimed_fills, community_units, members_units (what is on \
the community's account and on all others together, in Wh/2^16 times mct/kWh: 1 ct are 65536000000)}, refused, \
refused_by_kind, refused_listed [{height, index, kind, reason}], pruned {blocks, bid_digests, rounds_by_digest [[first, \
last]], checkpoints, roots_unknown_from (height or null; state_root is zero then), roots_not_compared [[first height, last \
height]]}.
With --compare: comparison {other, relation (same, this_goes_on, other_goes_on, part), last_height, \
last_common_height, height, block_hash, other_block_hash (those that fit the relation), meaning (agree, part_uncovered, \
fork, two_histories, different_ledgers; null when one does not pass), other_height, other_violation}.";

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The exported ledger; - is standard input
    pub ledger: PathBuf,
    /// Hash of the genesis block that you trust, 64 hex digits
    #[arg(long, value_name = "HASH")]
    pub genesis: Option<String>,
    /// Height of a block that you know; the audit fails when the ledger has another one there, none, or one that no
    /// certificate covers
    #[arg(long, value_name = "HEIGHT", requires = "block")]
    pub height: Option<u64>,
    /// Hash of the block of that height, 64 hex digits
    #[arg(long, value_name = "HASH", requires = "height")]
    pub block: Option<String>,
    /// Another copy of the ledger: says where the two part, and whether both go on with certificates, which proves a fork
    #[arg(long, value_name = "OTHER")]
    pub compare: Option<PathBuf>,
    /// Receipts to look up, one a line (- is standard input): a bid that is missing although the aggregator, or f + 1
    /// validators of a network, have signed receipts for it was censored
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Write the verdict and everything that was checked, with price and energy as pictures, into this HTML file; it must not
    /// exist
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// The page's language
    #[arg(long, value_enum, default_value_t = PageLanguage::En, requires = "html")]
    pub lang: PageLanguage,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}
