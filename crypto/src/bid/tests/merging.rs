//! Eight lanes give the scalars that the portable code gives.

use crate::bid::merge::{Inverses, SharedSums, StaticScalars};
use crate::bid::replay::Replay;
use crate::bid::tests::world;
use crate::fast::lanes;
use curve25519_dalek::scalar::Scalar;

fn same(a: &StaticScalars, b: &StaticScalars) -> bool {
    a.keys == b.keys && a.g == b.g && a.h == b.h
}

#[test]
fn lanes_and_portable_code_merge_the_same_scalars() {
    let Some(lanes) = lanes().scalars() else {
        eprintln!("this process has no lanes for scalars: nothing compared");
        return;
    };
    for (bits, steps) in [(8, 8), (16, 8), (32, 16), (8, 64)] {
        let mut w = world(bits, steps);
        let layout = w.params.bases().layout();
        let mut both = [SharedSums::portable(layout), SharedSums::in_lanes(lanes, layout)];
        for bid in (0..3).map(|_| w.bid()).collect::<Vec<_>>() {
            let replay = Replay::of(&w.params, &w.round, &bid, None).expect("an honest bid");
            let u = replay.u.iter().map(Scalar::invert).collect();
            let inverses = Inverses { y: replay.y.invert(), e: Scalar::ZERO, u };
            let weights = [w.scalar(), w.scalar(), w.scalar()];
            let handed = both.each_mut().map(|sums| {
                let mut handed = Vec::new();
                sums.add_generators(&w.params, &replay.argument(), weights[0], &inverses);
                sums.add_vector(&replay, [weights[1], weights[2]], &mut handed);
                handed
            });
            assert_eq!(handed[0], handed[1], "{bits} bits, {steps} steps");
            assert_eq!(handed[0].len(), steps);
        }
        let [portable, wide] = both.map(|sums| sums.reduce());
        assert!(same(&portable, &wide), "{bits} bits, {steps} steps");
    }
}
