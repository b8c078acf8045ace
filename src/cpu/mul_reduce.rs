use super::{View, walk};
use crate::ops::MulReduce;
use crate::ops::broadcast::broadcast_checked;

pub(super) fn forward(op: &MulReduce, a: View, b: View, y: &mut [f32]) {
    let whole = broadcast_checked(a.shape, b.shape);
    walk::sums([a.shape, b.shape, &whole, &op.shape], y, |count, [in_a, in_b], stride| match stride {
        [1, 1] => {
            let (a, b) = (&a.data[in_a..in_a + count], &b.data[in_b..in_b + count]);
            walk::sum(count, |i| a[i] * b[i])
        }
        // One factor is the same in the whole row.
        [over_a, 0] => b.data[in_b] * walk::sum_of(a.data, count, in_a, over_a),
        [0, over_b] => a.data[in_a] * walk::sum_of(b.data, count, in_b, over_b),
        [over_a, over_b] => walk::sum(count, |i| a.data[in_a + i * over_a] * b.data[in_b + i * over_b]),
    });
}
