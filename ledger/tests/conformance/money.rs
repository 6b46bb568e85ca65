//! A ledger with money: honest, and altered entry by entry.

use super::case::{Case, Expected};
use super::file::{Record, file};
use super::network::Ledger;
use crate::purses::{Market, money_params};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::forced::FORCED_CLAIMS;
use veilgrid_ledger::money::treasury::{COMMUNITY_ACCOUNT, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::money::withdrawal::Withdrawal;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_market::Rule;

/// Money comes, a round is settled, three of four claim their fills, two take money out, one of them is paid, and validators
/// claim for the fourth.
pub fn story() -> Market {
    let mut market = Market::of(money_params(Rule::Uniform));
    market.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    market.deposit(&[(COMMUNITY_ACCOUNT, 5)]);
    market.round(1);
    let claims: Vec<_> = (0..3).flat_map(|member| market.claim(1, member).claims).collect();
    market.push(vec![Transaction::Claims(Claims { round_id: 1, claims })]);
    let first = market.withdraws(0, 4);
    market.push(vec![first]);
    let second = market.withdraws(2, 2);
    market.push(vec![second]);
    let paid = market.paid(1, 1);
    market.push(vec![paid]);
    market.let_claims_pass();
    let shares = market.claim_shares(1);
    market.push(shares);
    market.push(vec![]);
    market
}

pub type OnOrder = fn(&mut TreasuryOrder);
pub type OnWithdrawal = fn(&mut Withdrawal);
pub type OnClaims = fn(&mut Claims);
pub type OnShare = fn(&mut OpeningShare);
pub type OnBids = fn(&mut Vec<SealedBid>);

/// A change of one entry.
#[derive(Clone, Copy)]
pub enum Edit {
    Deposit(OnOrder),
    Paid(OnOrder),
    Withdrawal(OnWithdrawal),
    Claims(OnClaims),
    Bids(OnBids),
    ClaimShare(OnShare),
}

/// Name, what is changed, and the rule that it breaks.
pub type Row = (&'static str, &'static str, &'static str, Edit);

impl Edit {
    fn kind(&self) -> TransactionKind {
        match self {
            Self::Deposit(_) => TransactionKind::Deposit,
            Self::Paid(_) => TransactionKind::Paid,
            Self::Withdrawal(_) => TransactionKind::Withdraw,
            Self::Claims(_) => TransactionKind::Claims,
            Self::Bids(_) => TransactionKind::Bids,
            Self::ClaimShare(_) => TransactionKind::OpeningShare,
        }
    }

    /// Of shares those that are for a claim.
    fn is_of(&self, transaction: &Transaction) -> bool {
        match transaction {
            Transaction::OpeningShare { opening_index, .. } if *opening_index < FORCED_CLAIMS => false,
            other => other.kind() == self.kind(),
        }
    }

    /// Changes the first transaction of its kind.
    pub fn apply(&self, bodies: &mut [Vec<Transaction>]) {
        let mut all = bodies.iter_mut().flatten();
        let found = all.find(|transaction| self.is_of(transaction)).expect("there");
        match (self, found) {
            (Self::Deposit(edit) | Self::Paid(edit), Transaction::Treasury(order)) => edit(order),
            (Self::Withdrawal(edit), Transaction::Withdraw(withdrawal)) => edit(withdrawal),
            (Self::Claims(edit), Transaction::Claims(claims)) => edit(claims),
            (Self::Bids(edit), Transaction::Bids { bids, .. }) => edit(bids),
            (Self::ClaimShare(edit), Transaction::OpeningShare { share, .. }) => edit(share),
            (_, other) => panic!("{other:?}"),
        }
    }
}

fn deposit(order: &mut TreasuryOrder) -> &mut veilgrid_ledger::money::treasury::Deposit {
    match &mut order.action {
        TreasuryAction::Deposit(deposits) => &mut deposits[0],
        other => panic!("{other:?}"),
    }
}

fn payment(order: &mut TreasuryOrder) -> &mut veilgrid_ledger::money::treasury::Payment {
    match &mut order.action {
        TreasuryAction::Paid(payments) => &mut payments[0],
        other => panic!("{other:?}"),
    }
}

fn money(bids: &mut [SealedBid]) -> &mut veilgrid_crypto::bid::BidMoney {
    bids[0].money.as_mut().expect("a bid with money")
}

/// Of the rows those whose ledgers are in the kit, which is to stay small; `it/money_audit.rs` judges all of them.
const IN_THE_KIT: [&str; 11] = [
    "deposit-amount",
    "paid-debit",
    "withdraw-amount",
    "withdraw-debit",
    "withdraw-proof",
    "claims-account",
    "claims-exchanged",
    "claims-point",
    "claim-share",
    "bids-cost",
    "bids-debit",
];

/// Every field of every entry, changed by one unit or one bit.
pub fn rows() -> Vec<Row> {
    use Edit::{Bids, ClaimShare, Claims, Deposit, Paid, Withdrawal};
    vec![
        ("deposit-amount", "a cent more than the treasury has signed", "TreasurySignature", {
            Deposit(|order| deposit(order).amount_ct += 1)
        }),
        ("deposit-account", "another account than the treasury has named", "TreasurySignature", {
            Deposit(|order| deposit(order).number += 1)
        }),
        ("deposit-reference", "another reference of a payment", "TreasurySignature", {
            Deposit(|order| deposit(order).reference[31] ^= 1)
        }),
        ("deposit-number", "an order of the treasury whose number is not next", "Sequence", {
            Deposit(|order| order.sequence += 1)
        }),
        ("deposit-signature", "a bit of the treasury's signature is changed", "TreasurySignature", {
            Deposit(|order| order.signature[63] ^= 1)
        }),
        ("paid-account", "a payment of another account", "TreasurySignature", {
            Paid(|order| payment(order).number += 1)
        }),
        ("paid-debit", "a payment of another withdrawal", "TreasurySignature", {
            Paid(|order| payment(order).debit_sequence += 1)
        }),
        ("withdraw-amount", "a cent more than the account has signed", "AccountSignature", {
            Withdrawal(|withdrawal| withdrawal.terms.amount_ct += 1)
        }),
        ("withdraw-account", "from another account", "AccountSignature", {
            Withdrawal(|withdrawal| withdrawal.terms.number = 2)
        }),
        ("withdraw-nobody", "from an account that there is not", "Unknown", {
            Withdrawal(|withdrawal| withdrawal.terms.number = 9)
        }),
        ("withdraw-debit", "a withdrawal whose debit sequence is not next", "DebitSequence", {
            Withdrawal(|withdrawal| withdrawal.terms.debit_sequence += 1)
        }),
        ("withdraw-reference", "to another payee", "AccountSignature", {
            Withdrawal(|withdrawal| withdrawal.terms.reference[0] ^= 1)
        }),
        ("withdraw-proof", "a byte of the proof of what is left is changed", "AccountSignature", {
            Withdrawal(|withdrawal| withdrawal.proof[100] ^= 1)
        }),
        ("withdraw-signature", "a bit of the account's signature is changed", "AccountSignature", {
            Withdrawal(|withdrawal| withdrawal.signature[0] ^= 1)
        }),
        ("claims-account", "a claim of another account", "NothingToClaim", {
            Claims(|claims| claims.claims[2].0 = 5)
        }),
        ("claims-exchanged", "two members have each other's claim", "Claim", {
            Claims(|claims| {
                let (first, rest) = claims.claims.split_at_mut(1);
                core::mem::swap(&mut first[0].1, &mut rest[0].1);
            })
        }),
        ("claims-point", "another point than the fill's worth", "Claim", {
            Claims(|claims| claims.claims[0].1.points[0] = claims.claims[1].1.points[0])
        }),
        ("claims-announcement", "another announcement of a claim's proof", "Claim", {
            Claims(|claims| claims.claims[0].1.announcements.swap(0, 1))
        }),
        ("claims-response", "a bit of a claim's response is changed", "Claim", {
            Claims(|claims| claims.claims[0].1.response[0] ^= 1)
        }),
        ("claims-twice", "a claim stands there twice", "ClaimOrder", {
            Claims(|claims| claims.claims.push(claims.claims[2].clone()))
        }),
        ("claims-none", "claims of nobody", "ClaimOrder", Claims(|claims| claims.claims.clear())),
        ("claims-round", "claims of a round that was not settled", "NothingToClaim", {
            Claims(|claims| claims.round_id = 2)
        }),
        ("claim-share", "a validator's share of a claim is changed", "ShareInvalid", {
            ClaimShare(|share| share.challenge[0] ^= 1)
        }),
        ("claim-share-other", "a validator's share of a claim under another's number", "ShareInvalid", {
            ClaimShare(|share| share.validator = 4)
        }),
        ("bids-cost", "a bid with another's cost", "BidInvalid", {
            Bids(|bids| money(bids).cost = bids[1].money.as_ref().expect("money").cost)
        }),
        ("bids-debit", "a bid that names another debit sequence", "DebitSequence", {
            Bids(|bids| money(bids).debit_sequence += 1)
        }),
    ]
}

/// The file without the bids.
fn pruned(ledger: &Ledger) -> Vec<u8> {
    let mut records = Vec::new();
    for (height, block) in ledger.blocks.iter().enumerate() {
        let has_bids = block.transactions.iter().any(|tx| tx.kind() == TransactionKind::Bids);
        records.push(match has_bids {
            true => Record::Pruned(PrunedBlock::of(block.clone()).to_bytes()),
            false => Record::Block(block.to_bytes()),
        });
        records.extend((height > 0).then(|| ledger.usual(height)).flatten().map(Record::Certificate));
    }
    file(&records, ledger.root())
}

pub fn cases() -> Vec<Case> {
    let ledger = Ledger::of(&story().world);
    let genesis = ledger.blocks[0].hash();
    let case = |name: &str, about: &str, bytes, expected| {
        Case::new(&format!("money/{name}"), about, bytes, genesis, expected)
    };
    let about = "deposits, a round within balances, claims, withdrawals, a payment";
    let honest = case("honest", about, ledger.file(), Expected::Passes);
    let altered = |(name, about, rule, edit): Row| {
        case(name, about, ledger.altered(|bodies| edit.apply(bodies)).file(), Expected::Refuses(rule))
    };
    let claims_again = ledger.altered(|bodies| {
        let claims = bodies.iter().flatten().find(|tx| tx.kind() == TransactionKind::Claims).cloned();
        bodies.last_mut().expect("blocks").push(claims.expect("claims"));
    });
    let again =
        case("claims-again", "claims count twice", claims_again.file(), Expected::Refuses("NothingToClaim"));
    let pruned = case(
        "pruned",
        "bids of a ledger with money are gone, which is not allowed",
        pruned(&ledger),
        Expected::Violates("Pruned.Money"),
    );
    let kept = rows().into_iter().filter(|(name, ..)| IN_THE_KIT.contains(name));
    std::iter::once(honest).chain(kept.map(altered)).chain([again, pruned]).collect()
}
