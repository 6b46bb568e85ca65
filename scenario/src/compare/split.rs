//! Dividing an amount of money so that the parts add up to it, to the last unit.

/// Divides `total` in proportion to `weights`. The parts add up to `total` exactly, and each is less than one unit away
/// from its exact share: part k is ⌊total·(w_1 + … + w_k)/W⌋ less the parts before it.
///
/// None when there is an amount but nobody to bear it, or when a sum leaves 128 bits.
pub fn split(total: i128, weights: &[u128]) -> Option<Vec<i128>> {
    let sum = weights.iter().try_fold(0i128, |sum, weight| sum.checked_add(i128::try_from(*weight).ok()?))?;
    if sum == 0 {
        return (total == 0).then(|| vec![0; weights.len()]);
    }
    let (whole, rest) = (total.div_euclid(sum), total.rem_euclid(sum));
    let (mut reached, mut given) = (0i128, 0i128);
    weights
        .iter()
        .map(|weight| {
            reached += i128::try_from(*weight).ok()?;
            // total·reached/sum in two parts: `rest` and `reached` are at most `sum`, which is an amount of energy.
            let upto = whole.checked_mul(reached)?.checked_add(rest.checked_mul(reached)? / sum)?;
            let part = upto - given;
            given = upto;
            Some(part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_are_next_to_their_exact_shares() {
        let mut state = 7u64;
        let mut draw = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..5_000 {
            let weights: Vec<u128> = (0..1 + draw(9)).map(|_| u128::from(draw(4) * draw(1_000))).collect();
            let sum: u128 = weights.iter().sum();
            let total = i128::from(draw(1 << 30)) - (1 << 29);
            let Some(parts) = split(total, &weights) else {
                assert!(sum == 0 && total != 0);
                continue;
            };
            assert_eq!(parts.iter().sum::<i128>(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                let apart = part * sum as i128 - total * *weight as i128;
                assert!(apart.unsigned_abs() < sum.max(1), "{part} of {total} for {weight} of {sum}");
            }
        }
    }

    #[test]
    fn nobody_bears_an_amount_only_if_there_is_none() {
        assert_eq!(split(0, &[]), Some(vec![]));
        assert_eq!(split(0, &[0, 0]), Some(vec![0, 0]));
        assert_eq!(split(1, &[0, 0]), None);
        assert_eq!(split(-7, &[1, 0, 1]), Some(vec![-4, 0, -3]));
        assert_eq!(split(i128::MAX, &[1, u128::MAX]), None);
        let most = i128::MAX / 2;
        assert_eq!(split(most, &[1 << 40, 1 << 40]).map(|parts| parts.iter().sum()), Some(most));
    }
}
