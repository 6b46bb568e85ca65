//! What the operator gets to know of a month: totals that members opened, and sums over enough accounts.

use crate::correction::Corrected;
use crate::money::Amount;
use crate::period::Period;
use crate::settle::Payees;
use serde::Serialize;
use std::collections::BTreeMap;

/// One member's total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenedTotal {
    /// The account.
    pub account: String,
    /// The bill's number; none of a preview.
    pub bill: Option<String>,
    /// Above zero the member owes it. Corrections are inside and have no line of their own.
    pub total_ct: i64,
}

/// Fees of zones together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZoneSum {
    /// The zones.
    pub zones: Vec<u16>,
    /// Their accounts.
    pub accounts: u64,
    /// In ct, exactly.
    pub fees_ct: String,
}

/// Corrections of a month together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CorrectionSum {
    /// The month that is corrected.
    pub period: Period,
    /// Accounts whose bill changes.
    pub accounts: u64,
    /// In ct, exactly.
    pub amount_ct: String,
}

/// What the operator gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// The community.
    pub community: String,
    /// The month.
    pub period: Period,
    /// Totals that were opened.
    pub totals: Vec<OpenedTotal>,
    /// Bills whose members opened nothing.
    pub not_opened: u64,
    /// Network fees by zones; empty when withheld.
    pub fees: Vec<ZoneSum>,
    /// The community's margin with what rounding of shares left it, ct exactly; none when withheld.
    pub community_ct: Option<String>,
    /// Corrections by month, where they are of enough accounts.
    pub corrections: Vec<CorrectionSum>,
    /// What is withheld, and why.
    pub withheld: Vec<String>,
}

/// An account, as far as sums are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Its zone.
    pub zone: u16,
    /// Whether its total is opened.
    pub is_opened: bool,
}

/// A group of accounts whose sum may be told: large enough by itself, and also without the members that opened theirs, which whoever
/// gets both would subtract.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    accounts: u64,
    unopened: u64,
}

impl Group {
    fn of<'a>(standings: impl IntoIterator<Item = &'a Standing>) -> Self {
        standings.into_iter().fold(Self::default(), |group, one| Self {
            accounts: group.accounts + 1,
            unopened: group.unopened + u64::from(!one.is_opened),
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { accounts: self.accounts + other.accounts, unopened: self.unopened + other.unopened }
    }

    fn may_be_told(self, minimum: u64) -> bool {
        self.accounts >= minimum.max(1) && (self.unopened == 0 || self.unopened >= minimum)
    }
}

/// Puts together what the operator gets. `standings` are the accounts with a bill.
pub fn opened(
    (community, period, minimum): (&str, Period, u64),
    totals: Vec<OpenedTotal>,
    standings: &[Standing],
    payees: &Payees,
    corrected: &[Corrected],
) -> Opened {
    let all = Group::of(standings);
    let mut withheld = Vec::new();
    let fees = fees(standings, payees, minimum);
    let may_tell = all.may_be_told(minimum);
    if !may_tell {
        withheld.push(format!(
            "sums of the community: they are told over at least {minimum} accounts, of which none or at least {minimum} opened nothing; here \
             are {}, and {} opened nothing",
            all.accounts, all.unopened
        ));
    }
    let (told, kept): (Vec<&Corrected>, Vec<&Corrected>) = corrected
        .iter()
        .filter(|one| one.accounts > 0)
        .partition(|one| may_tell && one.accounts >= minimum.max(1));
    withheld.extend(kept.iter().map(|one| {
        format!("corrections of {}: of {} accounts, and the minimum is {minimum}, or the sums are withheld; they are inside of totals", one.period, one.accounts)
    }));
    Opened {
        community: community.to_owned(),
        period,
        not_opened: all.unopened,
        totals,
        fees,
        community_ct: may_tell.then(|| payees.community.exact_ct()),
        corrections: told
            .into_iter()
            .map(|one| CorrectionSum {
                period: one.period,
                accounts: one.accounts,
                amount_ct: one.amount.exact_ct(),
            })
            .collect(),
        withheld,
    }
}

/// Zones in their order, merged until each group may be told; what is left over at the end joins the last group.
fn fees(standings: &[Standing], payees: &Payees, minimum: u64) -> Vec<ZoneSum> {
    let mut by_zone: BTreeMap<u16, Group> = BTreeMap::new();
    for one in standings {
        let group = by_zone.entry(one.zone).or_default();
        *group = group.plus(Group::of([one]));
    }
    let mut groups: Vec<(Vec<u16>, Group)> = Vec::new();
    for (zone, group) in by_zone {
        match groups.last_mut() {
            Some((zones, last)) if !last.may_be_told(minimum) => {
                zones.push(zone);
                *last = last.plus(group);
            }
            _ => groups.push((vec![zone], group)),
        }
    }
    while groups.len() > 1 && groups.last().is_some_and(|(_, last)| !last.may_be_told(minimum)) {
        if let (Some((zones, group)), Some((into, last))) = (groups.pop(), groups.last_mut()) {
            into.extend(zones);
            *last = last.plus(group);
        }
    }
    let told = groups.into_iter().filter(|(_, group)| group.may_be_told(minimum));
    let sum =
        |zones: &[u16]| Amount::sum(zones.iter().filter_map(|zone| payees.fees.get(zone).copied())).ok();
    told.filter_map(|(zones, group)| {
        let fees_ct = sum(&zones)?.exact_ct();
        Some(ZoneSum { accounts: group.accounts, fees_ct, zones })
    })
    .filter(|_| !payees.fees.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(zones: &[(u16, usize, usize)]) -> Vec<Standing> {
        let of = |(zone, open, closed): &(u16, usize, usize)| {
            let one = |zone, is_opened| Standing { zone, is_opened };
            [vec![one(*zone, true); *open], vec![one(*zone, false); *closed]].concat()
        };
        zones.iter().flat_map(of).collect()
    }

    fn told(zones: &[(u16, usize, usize)], corrected: &[(u64, i64)]) -> Opened {
        let fees = zones.iter().map(|(zone, ..)| (*zone, Amount::from_ct(i64::from(*zone)))).collect();
        let payees = Payees { community: Amount::from_ct(5), fees, shared_q16: 1 };
        let corrected: Vec<Corrected> = corrected
            .iter()
            .map(|(accounts, ct)| Corrected {
                period: "2026-02".parse().expect("a month"),
                last_import: 1,
                accounts: *accounts,
                amount: Amount::from_ct(*ct),
            })
            .collect();
        opened(
            ("c", "2026-03".parse().expect("a month"), 3),
            Vec::new(),
            &standings(zones),
            &payees,
            &corrected,
        )
    }

    fn zones(opened: &Opened) -> Vec<(Vec<u16>, String)> {
        opened.fees.iter().map(|sum| (sum.zones.clone(), sum.fees_ct.clone())).collect()
    }

    #[test]
    fn small_zones_are_merged() {
        let all = told(&[(1, 3, 0), (2, 1, 0), (3, 2, 0), (4, 1, 0)], &[]);
        assert_eq!(zones(&all), [(vec![1], "1".to_owned()), (vec![2, 3, 4], "9".to_owned())]);
        assert!(all.withheld.is_empty());
        // Two of zone 1 alone opened nothing: with the others' totals their sum would be known.
        let merged = told(&[(1, 3, 2), (2, 0, 4)], &[]);
        assert_eq!(zones(&merged), [(vec![1, 2], "3".to_owned())]);
    }

    #[test]
    fn what_would_name_one_member_is_withheld() {
        let one_left = told(&[(1, 9, 1)], &[(10, 4)]);
        assert_eq!(
            (one_left.community_ct.clone(), one_left.fees.len(), one_left.corrections.len()),
            (None, 0, 0)
        );
        assert_eq!(one_left.withheld.len(), 2);
        let few = told(&[(1, 2, 0)], &[]);
        assert_eq!((few.community_ct, few.fees.len()), (None, 0));
        let all = told(&[(1, 5, 3)], &[(3, 4), (2, 1), (0, 0)]);
        assert_eq!(
            (all.community_ct.as_deref(), all.corrections.len(), all.withheld.len()),
            (Some("5"), 1, 1)
        );
        assert_eq!(all.corrections[0].amount_ct, "4");
    }
}
