use super::{View, walk};
use crate::ops::MaskedFill;

pub(super) fn forward(op: &MaskedFill, x: View, mask: View, y: &mut [f32]) {
    walk::pairs(x, mask, y, |x, mask| if mask > 0.0 { op.value } else { x });
}
