//! Rows against the members that there are: what an order would be refused for is said before it is signed.

use super::rows::{Row, RowFault};
use std::collections::BTreeMap;
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::members::certificate::{Certificate, PointId};
use veilgrid_ledger::members::order::{AccountNumber, Action};

/// Accounts of one order: several are final together, and no message is large.
pub const ACCOUNTS_PER_ORDER: usize = 200;

/// A member as a node shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its account number.
    pub number: AccountNumber,
    /// Its certificate.
    pub certificate: Certificate,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// The members that there are.
pub struct Members {
    by_account: BTreeMap<PointBytes, Standing>,
    by_point: BTreeMap<PointId, AccountNumber>,
    classes: usize,
}

/// What becomes of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The orders, in the order of the rows.
    pub actions: Vec<Action>,
    /// Rows that say what the ledger says already.
    pub unchanged: usize,
}

impl Members {
    /// All members, and the number of the market's capacity classes.
    pub fn new(members: impl IntoIterator<Item = Standing>, classes: usize) -> Self {
        let by_account: BTreeMap<_, _> =
            members.into_iter().map(|member| (member.certificate.account, member)).collect();
        let by_point = by_account.values().map(|member| (member.certificate.point, member.number)).collect();
        Self { by_account, by_point, classes }
    }

    /// The member with this account key.
    pub fn of(&self, account: &PointBytes) -> Option<&Standing> {
        self.by_account.get(account)
    }

    /// The member with this number.
    pub fn numbered(&self, number: AccountNumber) -> Option<&Standing> {
        self.by_account.values().find(|member| member.number == number)
    }

    /// An account that stands with another number in `other`. A number is given once and never changes, so that of two nodes of
    /// one ledger, however far they are, one that says another number is wrong or lies.
    pub fn renumbered(&self, other: &Self) -> Option<PointBytes> {
        let number = |account| other.of(account).map(|standing| standing.number);
        let mut members = self.by_account.iter();
        let found = members.find(|(account, member)| number(account).is_some_and(|at| at != member.number));
        found.map(|(account, _)| *account)
    }

    /// Enrols the rows. Those that the ledger has already, as they are, are left out, so that a file can be handed in
    /// again after an interruption.
    ///
    /// # Errors
    /// Rows that the ledger would refuse.
    pub fn enrol(&self, rows: &[Row]) -> Result<Plan, Vec<RowFault>> {
        self.plan(rows, Action::Enrol, |row| match self.of(&row.certificate.account) {
            None => Ok(Some(row.certificate.clone())),
            Some(member) if member.certificate == row.certificate => Ok(None),
            Some(member) => {
                let number = member.number;
                Err(format!(
                    "this account is a member, with number {number} and another certificate: update it"
                ))
            }
        })
    }

    /// Gives the rows' accounts these certificates. Those that have them, and are not suspended, are left out.
    ///
    /// # Errors
    /// Rows that the ledger would refuse.
    pub fn update(&self, rows: &[Row]) -> Result<Plan, Vec<RowFault>> {
        self.plan(rows, Action::Update, |row| match self.of(&row.certificate.account) {
            None => Err("this account is no member: enrol it".to_owned()),
            Some(member) if member.certificate == row.certificate && !member.suspended => Ok(None),
            Some(member) => Ok(Some((member.number, row.certificate.clone()))),
        })
    }

    fn plan<T: Clone>(
        &self,
        rows: &[Row],
        action: fn(Vec<T>) -> Action,
        entry: impl Fn(&Row) -> Result<Option<T>, String>,
    ) -> Result<Plan, Vec<RowFault>> {
        let (mut entries, mut faults, mut unchanged) = (Vec::new(), Vec::new(), 0usize);
        for row in rows {
            match self.check(row).and_then(|()| entry(row)) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => unchanged = unchanged.saturating_add(1),
                Err(what) => faults.push(RowFault { line: row.line, what }),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let actions = entries.chunks(ACCOUNTS_PER_ORDER).map(|chunk| action(chunk.to_vec())).collect();
        Ok(Plan { actions, unchanged })
    }

    /// Rules that need nothing but the row and the members.
    fn check(&self, row: &Row) -> Result<(), String> {
        let certificate = &row.certificate;
        for (name, class) in
            [("import_class", certificate.import_class), ("export_class", certificate.export_class)]
        {
            if usize::from(class) >= self.classes {
                let last = self.classes.saturating_sub(1);
                return Err(format!("{name} is {class}: the market has the classes 0 to {last}"));
            }
        }
        let here = self.by_point.get(&certificate.point).copied();
        let own = self.of(&certificate.account).map(|member| member.number);
        match here.filter(|number| Some(*number) != own) {
            Some(number) => Err(format!(
                "the connection point {:?} is that of account number {number} already",
                row.point_name
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::members::certificate::{MemberRole, Rights};

    fn certificate(account: u8, point: u8) -> Certificate {
        Certificate {
            account: [account; 32],
            key_epoch: 1,
            point: [point; 32],
            rights: Rights { buy: true, sell: false },
            zone: 0,
            role: MemberRole::Consumer,
            import_class: 1,
            export_class: 0,
            credit_line: None,
            participation_per_mille: 1_000,
            import_source: None,
            export_source: None,
            from_unix_s: 0,
            to_unix_s: None,
        }
    }

    fn row(line: u64, certificate: Certificate) -> Row {
        Row { line, point_name: format!("AT{line}"), certificate }
    }

    fn members() -> Members {
        let standing = |number: u32, suspended| {
            let byte = number as u8;
            Standing { number, certificate: certificate(byte, byte), suspended }
        };
        Members::new([standing(1, false), standing(2, true)], 2)
    }

    /// Who is suspended or let go is named by its number alone: a node that exchanges two numbers would have the registrar
    /// sign for the wrong member.
    #[test]
    fn nodes_that_number_members_differently_are_told_apart() {
        let standing = |number: u32, byte: u8| Standing {
            number,
            certificate: certificate(byte, byte),
            suspended: false,
        };
        let of =
            |all: &[(u32, u8)]| Members::new(all.iter().map(|(number, byte)| standing(*number, *byte)), 2);
        let first = of(&[(1, 1), (2, 2)]);
        assert_eq!(first.renumbered(&first), None);
        assert_eq!(first.renumbered(&of(&[(2, 2), (3, 3)])), None, "one has left, one has joined");
        assert_eq!(first.renumbered(&of(&[(2, 1), (1, 2)])), Some([1; 32]));
        assert_eq!(of(&[(2, 1)]).renumbered(&first), Some([1; 32]));
    }

    #[test]
    fn what_the_ledger_has_already_is_left_out() {
        let rows = [row(2, certificate(1, 1)), row(3, certificate(3, 3))];
        let plan = members().enrol(&rows).expect("sound");
        assert_eq!(plan, Plan { actions: vec![Action::Enrol(vec![certificate(3, 3)])], unchanged: 1 });
        // A suspended member is updated by the certificate that it has.
        let rows = [row(2, certificate(1, 1)), row(3, certificate(2, 2))];
        let plan = members().update(&rows).expect("sound");
        assert_eq!(plan, Plan { actions: vec![Action::Update(vec![(2, certificate(2, 2))])], unchanged: 1 });
    }

    #[test]
    fn what_the_ledger_would_refuse_is_named_with_its_line() {
        let mut class = certificate(4, 4);
        class.export_class = 2;
        let rows =
            [row(2, certificate(1, 9)), row(3, certificate(5, 2)), row(4, class), row(5, certificate(6, 6))];
        let faults = members().enrol(&rows).expect_err("three are wrong");
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3);
        assert!(said[0].starts_with("line 2: this account is a member, with number 1"), "{said:?}");
        assert_eq!(said[1], "line 3: the connection point \"AT3\" is that of account number 2 already");
        assert_eq!(said[2], "line 4: export_class is 2: the market has the classes 0 to 1");
        let faults = members().update(&rows[3..]).expect_err("a stranger");
        assert_eq!(faults[0].to_string(), "line 5: this account is no member: enrol it");
    }

    #[test]
    fn many_rows_are_several_orders() {
        let rows: Vec<Row> = (0..=ACCOUNTS_PER_ORDER)
            .map(|at| {
                let mut certificate = certificate(3, 3);
                (certificate.account[0], certificate.account[1]) = (7, at as u8);
                (certificate.point[0], certificate.point[1]) = (7, at as u8);
                row(at as u64 + 2, certificate)
            })
            .collect();
        let plan = members().enrol(&rows).expect("sound");
        let sizes: Vec<usize> = plan.actions.iter().map(Action::accounts).collect();
        assert_eq!(sizes, [ACCOUNTS_PER_ORDER, 1]);
    }
}
