//! How a bill is paid.

use crate::community::{Account, Creditor};
use crate::period::Date;
use serde::{Deserialize, Serialize};

/// How a bill is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Payment {
    /// The total is zero.
    Nothing,
    /// The creditor collects it by direct debit.
    Debit {
        /// From this account.
        iban: String,
        /// By this mandate.
        mandate: String,
        /// The creditor's identifier.
        creditor_id: String,
        /// On this day.
        on: Date,
    },
    /// The member pays by itself.
    Transfer {
        /// Until this day.
        until: Date,
    },
    /// The member gets it.
    Credit {
        /// On this account.
        iban: String,
        /// From this day on.
        on: Date,
    },
    /// The member gets it and has told the creditor neither the amount nor where to.
    Ask,
}

impl Payment {
    /// How a total is paid. Only what a member opened to the creditor can be collected or paid out by it; everybody else hands
    /// its bill over by itself.
    pub fn of(total_ct: i64, account: &Account, creditor: &Creditor, is_opened: bool, on: Date) -> Self {
        let debit = || {
            let (mandate, creditor_id) = account.mandate.as_ref().zip(creditor.creditor_id.as_ref())?;
            let (iban, mandate, creditor_id) =
                (account.iban.clone()?, mandate.reference.clone(), creditor_id.clone());
            is_opened.then_some(Self::Debit { iban, mandate, creditor_id, on })
        };
        match total_ct {
            0 => Self::Nothing,
            1.. => debit().unwrap_or(Self::Transfer { until: on }),
            _ => {
                account.iban.clone().filter(|_| is_opened).map_or(Self::Ask, |iban| Self::Credit { iban, on })
            }
        }
    }
}
