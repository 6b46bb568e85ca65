//! What of a ledger's money an operator should hear of: each of it goes wrong in silence while blocks come and rounds end.

use crate::vitals::Finding;
use veilgrid_ledger::money::watch::MoneyWatch;

/// Validators claim what is overdue within some blocks; this much later nobody does, in milliseconds.
const OVERDUE_MS: u64 = 10 * 60_000;
/// The treasury has this long for a payment, in milliseconds.
const UNPAID_MS: u64 = 7 * 86_400_000;

/// The same as texts, for whoever looks from outside.
pub fn money_texts(watch: &MoneyWatch, block_unix_ms: u64) -> Vec<String> {
    money_findings(watch, block_unix_ms).into_iter().map(|finding| finding.text).collect()
}

/// What is wrong at a final state with this block time, Unix milliseconds.
pub(crate) fn money_findings(watch: &MoneyWatch, block_unix_ms: u64) -> Vec<Finding> {
    let age_ms = |since: Option<u64>| since.map(|since| block_unix_ms.saturating_sub(since));
    let found = [
        funds(watch),
        age_ms(watch.overdue_since_unix_ms)
            .filter(|age_ms| *age_ms >= OVERDUE_MS)
            .map(|age_ms| unclaimed(watch.overdue_fills, age_ms)),
        age_ms(watch.unpaid_since_unix_ms)
            .filter(|age_ms| *age_ms >= UNPAID_MS)
            .map(|age_ms| unpaid(watch, age_ms)),
    ];
    found.into_iter().flatten().collect()
}

fn funds(watch: &MoneyWatch) -> Option<Finding> {
    let MoneyWatch { community_ct, round_needs_ct, rounds_need_ct, .. } = watch;
    let deposit = "deposit to account number 0";
    if watch.is_unfunded() {
        let text = format!(
            "no round is opened: one may cost the community's account {round_needs_ct} ct for rounding, and it holds {community_ct} \
             ct; {deposit}"
        );
        let key = "the community's account is empty";
        // No process can mend it by a restart, so that it is no trouble of one.
        return Some(Finding { key, is_error: true, is_trouble: false, text });
    }
    watch.is_short().then(|| Finding {
        key: "the community's account is low",
        is_error: false,
        is_trouble: false,
        text: format!(
            "the community's account holds {community_ct} ct: with less than {rounds_need_ct} ct rounds may be passed over while \
             others are open; {deposit}"
        ),
    })
}

fn unclaimed(fills: u64, age_ms: u64) -> Finding {
    Finding {
        key: "fills are not claimed",
        is_error: false,
        is_trouble: false,
        text: format!(
            "{fills} fills are not claimed, the first is overdue for {} minutes: neither do their owners claim, nor validators for \
             them. Validators need t holders of shares, and claim in the last 64 rounds alone; of older ones tell the members to \
             run `veilgrid wallet claim`",
            age_ms / 60_000
        ),
    }
}

fn unpaid(watch: &MoneyWatch, age_ms: u64) -> Finding {
    Finding {
        key: "withdrawals are not paid",
        is_error: false,
        is_trouble: false,
        text: format!(
            "{} withdrawals of {} ct wait for the treasury, the first for {} days: `veilgrid treasury status` lists them",
            watch.unpaid,
            watch.unpaid_ct,
            age_ms / 86_400_000
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn keys(watch: MoneyWatch) -> Vec<(&'static str, bool)> {
        money_findings(&watch, NOW).iter().map(|finding| (finding.key, finding.is_error)).collect()
    }

    #[test]
    fn what_goes_wrong_in_silence_is_found_and_nothing_else_is() {
        let fine = MoneyWatch {
            unclaimed_fills: 9,
            overdue_fills: 2,
            overdue_since_unix_ms: Some(NOW - OVERDUE_MS + 1),
            unpaid: 3,
            unpaid_ct: 400,
            unpaid_since_unix_ms: Some(NOW - UNPAID_MS + 1),
            round_needs_ct: 5,
            rounds_need_ct: 40,
            community_ct: 40,
            overdrawn_ct: 0,
        };
        assert_eq!(keys(fine), []);
        assert_eq!(keys(MoneyWatch::default()), []);
        let with = |change: fn(&mut MoneyWatch)| {
            let mut watch = fine;
            change(&mut watch);
            keys(watch)
        };
        assert_eq!(with(|w| w.community_ct = 39), [("the community's account is low", false)]);
        assert_eq!(with(|w| w.community_ct = 5), [("the community's account is low", false)]);
        assert_eq!(with(|w| w.community_ct = 4), [("the community's account is empty", true)]);
        assert_eq!(with(|w| w.community_ct = -1), [("the community's account is empty", true)]);
        let overdue = with(|w| w.overdue_since_unix_ms = Some(NOW - OVERDUE_MS));
        assert_eq!(overdue, [("fills are not claimed", false)]);
        let late = with(|w| w.unpaid_since_unix_ms = Some(NOW - UNPAID_MS));
        assert_eq!(late, [("withdrawals are not paid", false)]);
    }
}
