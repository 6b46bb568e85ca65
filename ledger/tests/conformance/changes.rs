//! Changes of the transactions of a ledger.

use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_market::Outcome;

/// The transactions of all blocks.
pub type Bodies = Vec<Vec<Transaction>>;
pub type Edit = Box<dyn Fn(&mut Bodies)>;

/// A change, and the rule that it breaks.
pub struct Change {
    pub name: &'static str,
    pub about: &'static str,
    pub rule: &'static str,
    pub edit: Edit,
}

fn change(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    edit: impl Fn(&mut Bodies) + 'static,
) -> Change {
    Change { name, about, rule, edit: Box::new(edit) }
}

/// Block and index of the first transaction of a kind.
pub fn place(bodies: &Bodies, kind: TransactionKind) -> (usize, usize) {
    let in_body = |body: &Vec<Transaction>| body.iter().position(|transaction| transaction.kind() == kind);
    let found = bodies.iter().enumerate().find_map(|(block, body)| Some((block, in_body(body)?)));
    found.expect("a transaction of the kind")
}

pub fn first(bodies: &mut Bodies, kind: TransactionKind) -> &mut Transaction {
    let (block, index) = place(bodies, kind);
    &mut bodies[block][index]
}

fn bids(bodies: &mut Bodies) -> &mut Vec<SealedBid> {
    match first(bodies, TransactionKind::Bids) {
        Transaction::Bids { bids, .. } => bids,
        other => panic!("{other:?}"),
    }
}

fn on_bids(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    edit: fn(&mut Vec<SealedBid>),
) -> Change {
    change(name, about, rule, move |bodies| edit(bids(bodies)))
}

fn on_share(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    edit: fn(&mut u32, &mut OpeningShare),
) -> Change {
    change(name, about, rule, move |bodies| match first(bodies, TransactionKind::OpeningShare) {
        Transaction::OpeningShare { opening_index, share, .. } => edit(opening_index, share),
        other => panic!("{other:?}"),
    })
}

fn on_value(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    edit: fn(&mut u32, &mut i64),
) -> Change {
    change(name, about, rule, move |bodies| match first(bodies, TransactionKind::OpenedValue) {
        Transaction::OpenedValue { opening_index, value_wh, .. } => edit(opening_index, value_wh),
        other => panic!("{other:?}"),
    })
}

fn on_outcome(name: &'static str, about: &'static str, edit: fn(&mut Outcome)) -> Change {
    change(name, about, "WrongOutcome", move |bodies| match first(bodies, TransactionKind::Clear) {
        Transaction::Clear { outcome, .. } => edit(outcome),
        other => panic!("{other:?}"),
    })
}

fn on_points(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    edit: fn(&mut Vec<[u8; 32]>),
) -> Change {
    change(name, about, rule, move |bodies| match first(bodies, TransactionKind::Settle) {
        Transaction::Settle { points, .. } => edit(points),
        other => panic!("{other:?}"),
    })
}

/// Puts a transaction before the first one of a kind.
fn before(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    kind: TransactionKind,
    new: Transaction,
) -> Change {
    change(name, about, rule, move |bodies| {
        let (block, index) = place(bodies, kind);
        bodies[block].insert(index, new.clone());
    })
}

/// Changes of every kind of transaction about rounds.
pub fn all() -> Vec<Change> {
    of_rounds().into_iter().chain(of_bids()).chain(of_openings()).chain(of_results()).collect()
}

fn of_rounds() -> Vec<Change> {
    use TransactionKind::{CloseRound, OpenRound};
    let slot = |name, about, rule, edit: fn(&mut i64, &mut u32)| {
        change(name, about, rule, move |bodies| match first(bodies, OpenRound) {
            Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } => {
                edit(slot_start_unix_s, slot_seconds)
            }
            other => panic!("{other:?}"),
        })
    };
    let again = Transaction::CloseRound { round_id: 1 };
    let unknown = Transaction::CloseRound { round_id: 9 };
    let void = |reason| Transaction::Void { round_id: 1, reason };
    vec![
        slot("open-round-slot", "round 1 is opened for the next slot", "NotDue", |start, _| *start += 900),
        slot("open-round-length", "round 1 is opened for a slot of another length", "Slot", |_, s| {
            *s = 1_800
        }),
        change("open-round-again", "round 1 is opened twice", "RoundIdNotRising", |bodies| {
            let (block, index) = place(bodies, OpenRound);
            let opening = bodies[block][index].clone();
            bodies[block].push(opening);
        }),
        before(
            "close-round-unknown",
            "a round that was never opened is closed",
            "RoundNotActive",
            CloseRound,
            unknown,
        ),
        before(
            "close-round-early",
            "round 1 is closed before its bids",
            "NotDue",
            TransactionKind::Bids,
            again,
        ),
        change("close-round-missing", "round 1 is never closed", "OutOfOrder", |bodies| {
            let (block, index) = place(bodies, CloseRound);
            bodies[block].remove(index);
        }),
        before(
            "void-of-enough-bids",
            "round 1, which waits for shares, is said to have too few bids",
            "OutOfOrder",
            TransactionKind::OpeningShare,
            void(VoidReason::TooFewBids),
        ),
        before(
            "void-before-the-deadline",
            "the opening of round 1 is given up at once",
            "OutOfOrder",
            TransactionKind::OpeningShare,
            void(VoidReason::OpeningDeadline),
        ),
    ]
}

fn of_bids() -> Vec<Change> {
    vec![
        on_bids("bids-note", "a bit of a note is changed", "BidInvalid", |bids| bids[2].note[3] ^= 1),
        on_bids("bids-salt", "a bit of a salt is changed", "BidInvalid", |bids| bids[2].salt[0] ^= 1),
        on_bids("bids-step", "two steps of a bid are swapped", "BidInvalid", |bids| bids[0].c.swap(0, 2)),
        on_bids("bids-accounts", "two bids change their accounts", "BidInvalid", |bids| {
            (bids[0].account, bids[1].account) = (bids[1].account, bids[0].account);
        }),
        on_bids("bids-stranger", "a bid is of nobody's account", "NotAMember", |bids| {
            bids[1].account = bids[1].r
        }),
        on_bids("bids-twice", "a bid stands there twice", "SecondBid", |bids| bids.push(bids[0].clone())),
        on_bids("bids-handle", "two bids have one R", "HandleRepeated", |bids| bids[1].r = bids[0].r),
        on_bids("bids-other-round", "a bid names round 2", "BidOfOtherRound", |bids| bids[1].round_id = 2),
        on_bids("bids-none", "no bid in a transaction of bids", "NoBids", |bids| bids.clear()),
        on_bids(
            "bids-dropped",
            "the last bid is left out: the shares are of another set",
            "ShareInvalid",
            |bids| {
                bids.pop();
            },
        ),
        on_bids(
            "bids-order",
            "two bids change places: the shares are of another set",
            "ShareInvalid",
            |bids| {
                bids.swap(0, 1);
            },
        ),
    ]
}

fn of_openings() -> Vec<Change> {
    use TransactionKind::{OpenedValue, OpeningShare};
    vec![
        on_share("opening-share-point", "another D", "ShareInvalid", |_, share| share.point[1] ^= 1),
        on_share("opening-share-challenge", "another c", "ShareInvalid", |_, share| share.challenge[1] ^= 1),
        on_share("opening-share-response", "another z", "ShareInvalid", |_, share| share.response[1] ^= 1),
        on_share(
            "opening-share-validator",
            "the share of a validator that is none",
            "UnknownValidator",
            |_, share| {
                share.validator = 9;
            },
        ),
        on_share("opening-share-index", "a share of the next opening", "WrongOpening", |index, _| {
            *index += 1
        }),
        change("opening-share-twice", "a share stands there twice", "SecondShare", |bodies| {
            let (block, index) = place(bodies, OpeningShare);
            let share = bodies[block][index].clone();
            bodies[block].insert(index, share);
        }),
        change("opening-share-missing", "a share of the first opening is left out", "OutOfOrder", |bodies| {
            let (block, index) = place(bodies, OpeningShare);
            bodies[block].remove(index);
        }),
        on_value("opened-value-more", "one Wh more than the shares open", "ValueWrong", |_, wh| *wh += 1),
        on_value("opened-value-bound", "more than all bids together", "ValueOutOfBounds", |_, wh| {
            *wh = 1 << 41
        }),
        on_value("opened-value-index", "the value of the next opening", "WrongOpening", |index, _| {
            *index += 1
        }),
        change("opened-value-missing", "the first value is left out", "WrongOpening", |bodies| {
            let (block, index) = place(bodies, OpenedValue);
            bodies[block].remove(index);
        }),
    ]
}

fn of_results() -> Vec<Change> {
    vec![
        on_outcome("clear-fraction", "a smaller fraction", |outcome| {
            outcome.trade.as_mut().expect("trade").fraction_q16 -= 1;
        }),
        on_outcome("clear-volume", "one Wh more volume", |outcome| {
            outcome.volume_wh = outcome.volume_wh.map(|wh| wh + 1)
        }),
        on_outcome("clear-rest", "another rest", |outcome| {
            outcome.trade.as_mut().expect("trade").rest_q16 ^= 1
        }),
        on_outcome("clear-price", "all prices a tick higher", |outcome| {
            let trade = outcome.trade.as_mut().expect("trade");
            for price in [
                &mut trade.buy_price_mct_per_kwh,
                &mut trade.sell_price_mct_per_kwh,
                &mut trade.price_low_mct_per_kwh,
                &mut trade.price_high_mct_per_kwh,
            ] {
                *price += 1_000;
            }
        }),
        on_points("settle-swapped", "two settlement points are swapped", "SettlementPoint", |points| {
            points.swap(0, 1)
        }),
        on_points("settle-missing", "a settlement point is left out", "SettlementCount", |points| {
            points.pop();
        }),
    ]
}
