//! A standing order: with it an account's owner lets the reading authority tell one payee the totals of its bills, and nothing else.
//!
//! It is signed by the account's key, so that neither authority nor registrar can give itself one (settlement, rule 20).

use crate::period::Period;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::labels::{PROTOCOL_VERSION, STANDING_ORDER};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};

const FORMAT: u32 = 1;

/// What is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opens {
    /// Each bill's total.
    Total,
    /// Nothing any more: an earlier order is taken back.
    Nothing,
}

/// A signed standing order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingOrder {
    format: u32,
    /// The community's name.
    pub community: String,
    /// Who gets to know the totals: the creditor's name.
    pub payee: String,
    /// The account.
    pub account: String,
    /// Its number; of several the highest holds.
    pub number: u64,
    /// The first month.
    pub from: Period,
    /// The last month; until it is taken back if there is none.
    pub until: Option<Period>,
    /// What is opened.
    pub opens: Opens,
    /// The account's key.
    account_key: String,
    /// Its signature under all fields above.
    signature: String,
}

/// What an order says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTerms {
    /// The community's name.
    pub community: String,
    /// The creditor's name.
    pub payee: String,
    /// The account.
    pub account: String,
    /// Its number.
    pub number: u64,
    /// The first month.
    pub from: Period,
    /// The last month.
    pub until: Option<Period>,
    /// What is opened.
    pub opens: Opens,
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum OrderError {
    /// Not of this form.
    #[error("is no standing order of format {FORMAT}: {0}")]
    Form(String),
    /// Of another community or payee.
    #[error("is for {0:?}, and this is {1:?}; ask the member for one with the right name")]
    Elsewhere(String, String),
    /// An account that is not there.
    #[error("is of account {0:?}, which is not among the accounts")]
    UnknownAccount(String),
    /// No key to compare with.
    #[error(
        "account {0:?} has no account_key among the accounts, so that nobody can tell whether the order is its own"
    )]
    NoKey(String),
    /// Another key.
    #[error("is signed by another key than that of account {0:?}")]
    OtherKey(String),
    /// A signature that does not hold.
    #[error("has a signature of account {0:?} that does not hold: the order was changed")]
    Signature(String),
    /// One number twice.
    #[error("account {0:?} signed two different orders with number {1}; ask it for one with a higher number")]
    TwoOfOneNumber(String, u64),
}

impl StandingOrder {
    /// Signs an order.
    pub fn sign(terms: OrderTerms, key: &SigningKey, rng: &mut impl CryptoRngCore) -> Self {
        let OrderTerms { community, payee, account, number, from, until, opens } = terms;
        let account_key = hex::encode(key.verifying_key().to_bytes());
        let mut order = Self {
            format: FORMAT,
            community,
            payee,
            account,
            number,
            from,
            until,
            opens,
            account_key,
            signature: String::new(),
        };
        order.signature = hex::encode(key.sign(&mut order.transcript(), rng));
        order
    }

    /// Reads an order; it is not checked yet.
    ///
    /// # Errors
    /// [`OrderError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, OrderError> {
        let order: Self =
            serde_json::from_slice(bytes).map_err(|error| OrderError::Form(error.to_string()))?;
        if order.format == FORMAT {
            Ok(order)
        } else {
            Err(OrderError::Form(format!("it has format {}", order.format)))
        }
    }

    fn transcript(&self) -> Transcript {
        let mut transcript = Transcript::new(STANDING_ORDER);
        transcript.append_u64(b"version", PROTOCOL_VERSION.into());
        transcript.append_message(b"community", self.community.as_bytes());
        transcript.append_message(b"payee", self.payee.as_bytes());
        transcript.append_message(b"account", self.account.as_bytes());
        transcript.append_u64(b"number", self.number);
        transcript.append_message(b"from", self.from.to_string().as_bytes());
        transcript.append_message(
            b"until",
            self.until.map_or_else(String::new, |until| until.to_string()).as_bytes(),
        );
        transcript.append_message(b"opens", if self.opens == Opens::Total { b"total" } else { b"nothing" });
        transcript
    }

    /// Checks that the order is the account's own, for this community and payee.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn check(&self, community: &str, payee: &str, key: Option<[u8; 32]>) -> Result<(), OrderError> {
        for (own, expected) in [(self.community.as_str(), community), (self.payee.as_str(), payee)] {
            if own != expected {
                return Err(OrderError::Elsewhere(own.to_owned(), expected.to_owned()));
            }
        }
        let account = || self.account.clone();
        let key = key.ok_or_else(|| OrderError::NoKey(account()))?;
        if hex::encode(key) != self.account_key {
            return Err(OrderError::OtherKey(account()));
        }
        let key = VerifyingKey::from_bytes(&key).map_err(|_| OrderError::OtherKey(account()))?;
        let bytes = hex::decode(&self.signature).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let holds = bytes.is_some_and(|signature| key.verify(&mut self.transcript(), &signature).is_ok());
        if holds { Ok(()) } else { Err(OrderError::Signature(account())) }
    }

    fn holds_in(&self, period: Period) -> bool {
        self.opens == Opens::Total && self.from <= period && self.until.is_none_or(|until| period <= until)
    }
}

/// The accounts whose totals are opened in a month: of each account's orders the one with the highest number counts.
///
/// # Errors
/// [`OrderError::TwoOfOneNumber`].
pub fn opened(orders: &[StandingOrder], period: Period) -> Result<Vec<String>, OrderError> {
    let mut newest: BTreeMap<&str, &StandingOrder> = BTreeMap::new();
    for order in orders {
        match newest.get(order.account.as_str()) {
            Some(other) if other.number > order.number => {}
            Some(other) if other.number == order.number => {
                if other.transcript_fields() != order.transcript_fields() {
                    return Err(OrderError::TwoOfOneNumber(order.account.clone(), order.number));
                }
            }
            _ => {
                newest.insert(&order.account, order);
            }
        }
    }
    let opened = newest.into_iter().filter(|(_, order)| order.holds_in(period));
    Ok(opened.map(|(account, _)| account.to_owned()).collect())
}

impl StandingOrder {
    fn transcript_fields(&self) -> (&str, &str, Period, Option<Period>, Opens) {
        (&self.community, &self.payee, self.from, self.until, self.opens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn order(number: u64, from: &str, until: Option<&str>, opens: Opens) -> (StandingOrder, [u8; 32]) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let key = SigningKey::generate(&mut rng);
        let terms = OrderTerms {
            community: "c".into(),
            payee: "p".into(),
            account: "flat".into(),
            number,
            from: from.parse().expect("a month"),
            until: until.map(|until| until.parse().expect("a month")),
            opens,
        };
        (StandingOrder::sign(terms, &key, &mut rng), key.verifying_key().to_bytes())
    }

    #[test]
    fn every_field_is_signed() {
        let (order, key) = order(3, "2026-01", Some("2026-12"), Opens::Total);
        assert_eq!(order.check("c", "p", Some(key)), Ok(()));
        let text = serde_json::to_string(&order).expect("JSON");
        for (from, to) in [
            ("\"account\":\"flat\"", "\"account\":\"roof\""),
            ("\"number\":3", "\"number\":4"),
            ("2026-01", "2025-01"),
            ("\"2026-12\"", "null"),
            ("\"total\"", "\"nothing\""),
            ("\"signature\":\"", "\"signature\":\"00"),
        ] {
            assert!(text.contains(from), "{from}");
            let altered = StandingOrder::parse(text.replacen(from, to, 1).as_bytes()).expect("an order");
            assert!(matches!(altered.check("c", "p", Some(key)), Err(OrderError::Signature(_))), "{from}");
        }
        assert!(matches!(order.check("d", "p", Some(key)), Err(OrderError::Elsewhere(..))));
        assert!(matches!(order.check("c", "q", Some(key)), Err(OrderError::Elsewhere(..))));
        assert!(matches!(order.check("c", "p", None), Err(OrderError::NoKey(_))));
        assert!(matches!(order.check("c", "p", Some([1; 32])), Err(OrderError::OtherKey(_))));
        assert!(matches!(StandingOrder::parse(b"{}"), Err(OrderError::Form(_))));
        let other = StandingOrder::parse(text.replacen("\"format\":1", "\"format\":2", 1).as_bytes());
        assert!(matches!(other, Err(OrderError::Form(_))));
    }

    #[test]
    fn the_order_with_the_highest_number_holds() {
        let opened =
            |orders: &[StandingOrder], period: &str| opened(orders, period.parse().expect("a month"));
        let first = order(1, "2026-01", None, Opens::Total).0;
        let second = order(2, "2026-01", None, Opens::Nothing).0;
        let third = order(3, "2026-05", Some("2026-06"), Opens::Total).0;
        assert_eq!(opened(std::slice::from_ref(&first), "2025-12"), Ok(vec![]));
        assert_eq!(opened(std::slice::from_ref(&first), "2030-12"), Ok(vec!["flat".to_owned()]));
        assert_eq!(opened(&[second.clone(), first.clone()], "2026-03"), Ok(vec![]));
        let all = [third, first.clone(), second];
        assert_eq!(
            ["2026-04", "2026-06", "2026-07"].map(|month| opened(&all, month).map(|accounts| accounts.len())),
            [Ok(0), Ok(1), Ok(0)]
        );
        let other = order(1, "2026-02", None, Opens::Total).0;
        assert_eq!(opened(&[first.clone(), first.clone()], "2026-03"), Ok(vec!["flat".to_owned()]));
        assert!(matches!(opened(&[first, other], "2026-03"), Err(OrderError::TwoOfOneNumber(..))));
    }
}
