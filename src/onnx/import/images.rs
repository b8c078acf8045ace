//! Values as pictures with a batch and channels, which convolutions, pools and changes of size take.

use super::draft::Draft;
use super::refusal::{Outcome, Refusal};
use super::value::Traced;

/// A value as pictures: `[batch, channels, height, width]`.
pub(super) struct Images {
    pub x: Traced,
    /// Whether the graph's value has lines in the place of pictures.
    pub are_lines: bool,
}

impl Images {
    /// A value of a graph as pictures. Without a batch it must be a single one, and lines have a height of 1.
    pub fn of(draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Self> {
        let shape = draft.shape(x).to_vec();
        let (are_lines, plane) = match shape.as_slice() {
            [_, channels, height, width] => (false, [*channels, *height, *width]),
            [_, channels, length] => (true, [*channels, 1, *length]),
            _ => return Err(Refusal::unsupported(format!("of {} dimensions", shape.len()))),
        };
        if draft.lead() == 1 && shape[0] != 1 {
            return Err(Refusal::unsupported("of several pictures that are not a batch"));
        }
        let x = draft.view(&format!("{name}.images"), x, &[&x.shape[..1], &plane].concat())?;
        Ok(Images { x, are_lines })
    }

    pub fn size(&self) -> [usize; 2] {
        [self.x.shape[2], self.x.shape[3]]
    }

    /// A result in the form that the value had in the graph.
    pub fn restore(&self, draft: &mut Draft, name: &str, y: &Traced) -> Outcome<Traced> {
        let &[batch, channels, height, width] = y.shape.as_slice() else {
            return Err(Refusal::damaged("gives no pictures"));
        };
        let mut shape = vec![batch];
        shape.extend(std::iter::repeat_n(1, draft.lead()));
        shape.push(channels);
        shape.extend(if self.are_lines { vec![width] } else { vec![height, width] });
        draft.view(&format!("{name}.restored"), y, &shape)
    }
}
