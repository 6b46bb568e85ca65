//! Payments for banks: direct debits as pain.008, credit transfers as pain.001 (ISO 20022, the versions of the EPC's rulebooks of 2025).
//!
//! In the files is what members opened to the creditor: a bill whose total it does not know is in none.

use sepa::{
    Bic, CreditTransferEntry, CreditTransferGroup, CreditorId, DirectDebitEntry, DirectDebitGroup, Iban,
    IsoDate, IsoDateTime, Pain001Builder, Pain008Builder, SequenceType, validate_bic, validate_creditor_id,
    validate_iban,
};
use thiserror::Error;
use veilgrid_billing::bill::{Bill, sha256};
use veilgrid_billing::community::{Account, Creditor};
use veilgrid_billing::payment::Payment;
use veilgrid_billing::period::Date;

/// Why there are no payments.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum BankError {
    /// A number with a wrong check digit, length or country.
    #[error("{whose}: {what} {value:?} is none: {why}")]
    Identifier { whose: String, what: &'static str, value: String, why: String },
    /// A rule of the scheme.
    #[error("the file of {what} can't be made: {why}")]
    File { what: &'static str, why: String },
}

/// An IBAN in groups of four.
pub fn grouped_iban(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().filter(|letter| !letter.is_whitespace()).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn identifier<T, E: std::fmt::Display>(
    whose: &str,
    what: &'static str,
    value: &str,
    checked: Result<T, E>,
) -> Result<T, BankError> {
    checked.map_err(|why| BankError::Identifier {
        whose: whose.to_owned(),
        what,
        value: value.to_owned(),
        why: why.to_string(),
    })
}

fn iban_of(whose: &str, iban: &str) -> Result<Iban, BankError> {
    identifier(whose, "the IBAN", iban, validate_iban(iban))
}

fn bic_of(whose: &str, bic: Option<&String>) -> Result<Option<Bic>, BankError> {
    bic.map(|bic| identifier(whose, "the BIC", bic, validate_bic(bic))).transpose()
}

fn creditor_id_of(creditor: &Creditor) -> Result<Option<CreditorId>, BankError> {
    let id = creditor.creditor_id.as_ref();
    id.map(|id| identifier("creditor", "the creditor_id", id, validate_creditor_id(id))).transpose()
}

/// Checks everything that a bank will check: IBAN, BIC and creditor identifier, before anything is billed.
///
/// # Errors
/// [`BankError::Identifier`] with whose it is.
pub fn check(creditor: &Creditor, accounts: &[Account]) -> Result<(), BankError> {
    iban_of("creditor", &creditor.iban)?;
    bic_of("creditor", creditor.bic.as_ref())?;
    creditor_id_of(creditor)?;
    for account in accounts {
        let whose = format!("account {:?}", account.id);
        if let Some(iban) = &account.iban {
            iban_of(&whose, iban)?;
        }
        bic_of(&whose, account.bic.as_ref())?;
    }
    Ok(())
}

fn iso(date: Date) -> Result<IsoDate, String> {
    let period = date.period();
    IsoDate::new(period.year(), period.month(), date.day()).map_err(|error| error.to_string())
}

/// A message's name: the same run has the same, another has another.
fn message_id(bill: &Bill, what: &str) -> String {
    let run = sha256(format!("{}\n{}\n{}", bill.community, bill.period, bill.creditor_iban).as_bytes());
    format!("{}-{what}-{}", bill.period, run.get(..12).unwrap_or_default())
}

fn remittance(bill: &Bill) -> String {
    format!("Bill {} for {}", bill.number.as_deref().unwrap_or_default(), bill.period.title())
}

/// The direct debits of a run as pain.008.001.08; none where nobody is debited.
///
/// # Errors
/// [`BankError`].
pub fn debits(creditor: &Creditor, bills: &[(&Bill, &Account)]) -> Result<Option<String>, BankError> {
    let failed = |why: String| BankError::File { what: "direct debits", why };
    let mut group: Option<(DirectDebitGroup, &Bill)> = None;
    for (bill, account) in bills {
        let (Payment::Debit { iban, mandate, on, .. }, Some(signed)) = (&bill.payment, &account.mandate)
        else {
            continue;
        };
        let whose = format!("account {:?}", account.id);
        let number = bill.number.clone().unwrap_or_default();
        let signed = iso(signed.signed).map_err(failed)?;
        let (iban, bic) = (iban_of(&whose, iban)?, bic_of(&whose, account.bic.as_ref())?);
        let mut entry = DirectDebitEntry::new(mandate, signed, &account.name, iban, bill.total_ct, number)
            .with_description(remittance(bill));
        if let Some(bic) = bic {
            entry = entry.with_bic(bic);
        }
        let (so_far, first) = match group {
            Some(group) => group,
            None => {
                let id = creditor_id_of(creditor)?
                    .ok_or_else(|| failed("the creditor has no creditor_id".to_owned()))?;
                let own = iban_of("creditor", &creditor.iban)?;
                let mut group = DirectDebitGroup::new(&creditor.name, &own, &id, iso(*on).map_err(failed)?)
                    .sequence_type(SequenceType::Rcur);
                if let Some(bic) = bic_of("creditor", creditor.bic.as_ref())? {
                    group = group.creditor_bic(bic);
                }
                (group, *bill)
            }
        };
        group = Some((so_far.add_entry(entry), first));
    }
    let Some((group, first)) = group else { return Ok(None) };
    let created = iso(first.date).map_err(failed)?;
    let created = IsoDateTime::new(created, 0, 0, 0).map_err(|error| failed(error.to_string()))?;
    let file = Pain008Builder::new(&creditor.name, message_id(first, "DD"))
        .created_at(created)
        .add_group(group)
        .build();
    file.map(Some).map_err(|error| failed(error.to_string()))
}

/// The credit transfers of a run as pain.001.001.09; none where nobody is paid.
///
/// # Errors
/// [`BankError`].
pub fn credits(creditor: &Creditor, bills: &[(&Bill, &Account)]) -> Result<Option<String>, BankError> {
    let failed = |why: String| BankError::File { what: "credit transfers", why };
    let mut group: Option<(CreditTransferGroup, &Bill)> = None;
    for (bill, account) in bills {
        let Payment::Credit { iban, on } = &bill.payment else { continue };
        let whose = format!("account {:?}", account.id);
        let amount =
            bill.total_ct.checked_neg().ok_or_else(|| failed("an amount is too large".to_owned()))?;
        let (iban, bic) = (iban_of(&whose, iban)?, bic_of(&whose, account.bic.as_ref())?);
        let mut entry =
            CreditTransferEntry::new(&account.name, iban, amount, bill.number.clone().unwrap_or_default())
                .with_description(remittance(bill));
        if let Some(bic) = bic {
            entry = entry.with_bic(bic);
        }
        let (so_far, first) = match group {
            Some(group) => group,
            None => {
                let own = iban_of("creditor", &creditor.iban)?;
                let mut group = CreditTransferGroup::new(&creditor.name, &own, iso(*on).map_err(failed)?);
                if let Some(bic) = bic_of("creditor", creditor.bic.as_ref())? {
                    group = group.debtor_bic(bic);
                }
                (group, *bill)
            }
        };
        group = Some((so_far.add_entry(entry), first));
    }
    let Some((group, first)) = group else { return Ok(None) };
    let created = iso(first.date).map_err(failed)?;
    let created = IsoDateTime::new(created, 0, 0, 0).map_err(|error| failed(error.to_string()))?;
    let file = Pain001Builder::new(&creditor.name, message_id(first, "CT"))
        .created_at(created)
        .add_group(group)
        .build();
    file.map(Some).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_billing::community::{Settings, parse_accounts};

    fn creditor() -> Creditor {
        Settings::parse(include_str!("../../data/billing/community.toml")).expect("settings").creditor
    }

    #[test]
    fn wrong_numbers_are_found_before_anything_is_billed() {
        let accounts = |iban: &str, bic: &str| {
            let text = format!(
                "account,name,street,town,country,zone,iban,bic\nflat,Ana,Weg 1,8010 Graz,AT,7,{iban},{bic}\n"
            );
            parse_accounts(text.as_bytes()).expect("accounts")
        };
        assert_eq!(check(&creditor(), &accounts("AT483200000012345864", "RLNWATWW")), Ok(()));
        let refused = |creditor: &Creditor, iban: &str, bic: &str| {
            check(creditor, &accounts(iban, bic)).expect_err("refused").to_string()
        };
        // One digit another, two exchanged, one missing, another country's.
        for iban in
            ["AT483200000012345865", "AT483200000012354864", "AT48320000001234586", "DE483200000012345864"]
        {
            let error = refused(&creditor(), iban, "");
            assert!(error.contains("account \"flat\": the IBAN") && error.contains(iban), "{error}");
        }
        assert!(refused(&creditor(), "AT483200000012345864", "RLNW").contains("the BIC"));
        let other = Creditor { creditor_id: Some("AT62ZZZ01234567890".into()), ..creditor() };
        assert!(refused(&other, "AT483200000012345864", "").contains("creditor_id"));
        let other = Creditor { iban: "AT61 1904 3002 3457 3202".into(), ..creditor() };
        assert!(refused(&other, "AT483200000012345864", "").contains("creditor: the IBAN"));
    }

    #[test]
    fn ibans_are_read_in_groups() {
        assert_eq!(grouped_iban("AT61 19043002345732 01"), "AT61 1904 3002 3457 3201");
    }
}
