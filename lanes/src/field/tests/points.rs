//! The formulas of points on limbs at their bounds, against the same formulas of integers.

use super::*;

/// X, Y, Z, T from E, F, G, H.
fn finished([e, f, g, h]: [Model; 4]) -> [Model; 4] {
    [e.mul(f), g.mul(h), f.mul(g), e.mul(h)]
}

fn minus(a: Model, b: Model) -> Model {
    a.add(b.neg())
}

/// A sum with (y + x, y − x, 2z, 2d·t) of the other.
fn added([x, y, t]: [Model; 3], [y_plus_x, y_minus_x, t2d]: [Model; 3], d: Model) -> [Model; 4] {
    let (a, b, c) = (minus(y, x).mul(y_minus_x), y.add(x).mul(y_plus_x), t.mul(t2d));
    finished([minus(b, a), minus(d, c), d.add(c), b.add(a)])
}

fn doubled([x, y, z]: [Model; 3]) -> [Model; 4] {
    let (xx, yy, zz, sum) = (x.mul(x), y.mul(y), z.mul(z), x.add(y));
    let (h, g) = (xx.add(yy), minus(yy, xx));
    finished([minus(sum.mul(sum), h), minus(zz.add(zz), g), g, h])
}

fn expect_all<F: Field>(
    name: &str,
    ours: [F; 4],
    inputs: &[[Limbs; 8]],
    expected: impl Fn(usize) -> [Model; 4],
) {
    for (part, element) in ours.into_iter().enumerate() {
        expect(name, element, inputs, |l| expected(l)[part]);
    }
}

fn check_formulas<F: Field>() {
    // On the first turn all parts have the same extreme; then each meets others.
    for turn in 0..4u64 {
        let parts: [Vec<Limbs>; 8] = core::array::from_fn(|part| {
            let part = part as u64;
            let mut limbs = elements(256, if turn == 0 { 12 } else { 12 + 8 * turn + part });
            limbs.rotate_left((turn * part * 7) as usize);
            limbs
        });
        for at in 0..parts[0].len() / 8 {
            let inputs = parts.each_ref().map(|part| eights(part).nth(at).expect("eight"));
            let [x, y, z, t, a, b, c, d] = inputs.map(|lanes| F::from_lanes(&lanes));
            let model = |part: usize, l: usize| Model::of(&inputs[part][l]);
            let own = |l| [model(0, l), model(1, l), model(3, l)];
            let mut sum = [x, y, z, t];
            F::add_affine(&mut sum, &[a, b, c]);
            expect_all("sum with an affine point", sum, &inputs, |l| {
                added(own(l), [4, 5, 6].map(|part| model(part, l)), model(2, l).add(model(2, l)))
            });
            // The parts of a cached point are loose.
            let mut sum = [x, y, z, t];
            F::add_cached(&mut sum, &[b.add_loose(&a), b.sub_loose(&a), c.add_loose(&c), d]);
            expect_all("sum with a cached point", sum, &inputs, |l| {
                let (a, b, c) = (model(4, l), model(5, l), model(6, l));
                added(own(l), [b.add(a), minus(b, a), model(7, l)], model(2, l).mul(c.add(c)))
            });
            let mut sum = [x, y, z, t];
            F::double(&mut sum);
            expect_all("double", sum, &inputs, |l| doubled([0, 1, 2].map(|part| model(part, l))));
        }
    }
}

#[test]
fn sums_and_doubles_of_points_are_those_of_integers_for_all_reduced_limbs() {
    run!(check_formulas);
}
