//! A tree of hashes over the accounts, so that one account can be shown to be part of a state root without the others.
//!
//! The form is that of RFC 6962: a node over n leaves splits them at the largest power of two below n, and leaves and nodes
//! are hashed under different labels.

use crate::hash::{Hash, hash};
use veilgrid_crypto::labels;

/// The root over these leaves, which are digests already; all zeros over none.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => [0; 32],
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The hashes that lead from the leaf at `place` to the root, from below; none when there is no such leaf.
pub fn path(leaves: &[Hash], place: usize) -> Option<Vec<Hash>> {
    if place >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = if place < left.len() {
        (path(left, place)?, root(right))
    } else {
        (path(right, place - left.len())?, root(left))
    };
    below.push(beside);
    Some(below)
}

/// The root that a leaf at `place` among `leaves` has with this path; none when the path has another length.
pub fn root_of(leaf: &Hash, place: usize, leaves: usize, path: &[Hash]) -> Option<Hash> {
    if place >= leaves {
        return None;
    }
    if leaves == 1 {
        return path.is_empty().then_some(*leaf);
    }
    let (beside, below) = path.split_last()?;
    let left = split(leaves);
    Some(if place < left {
        node(&root_of(leaf, place, left, below)?, beside)
    } else {
        node(beside, &root_of(leaf, place - left, leaves - left, below)?)
    })
}

fn node(left: &Hash, right: &Hash) -> Hash {
    hash(labels::LEDGER_ACCOUNTS, &[left, right])
}

/// The largest power of two below `leaves`, which are two or more.
fn split(leaves: usize) -> usize {
    1 << (leaves - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_is_shown_to_be_there_and_nothing_else_is() {
        for count in 1..20usize {
            let leaves: Vec<Hash> = (0..count).map(|at| [at as u8 + 1; 32]).collect();
            let top = root(&leaves);
            for place in 0..count {
                let path = path(&leaves, place).expect("a leaf");
                assert_eq!(root_of(&leaves[place], place, count, &path), Some(top));
                assert_ne!(root_of(&[99; 32], place, count, &path), Some(top), "another leaf");
                if count > 1 {
                    assert_ne!(root_of(&leaves[place], (place + 1) % count, count, &path), Some(top));
                    assert_eq!(root_of(&leaves[place], place, count, &path[1..]).filter(|r| *r == top), None);
                }
            }
            assert_eq!(path(&leaves, count), None);
            assert_eq!(root_of(&leaves[0], count, count, &[]), None);
        }
        assert_eq!(root(&[]), [0; 32]);
    }
}
