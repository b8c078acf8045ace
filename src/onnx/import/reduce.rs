//! Means, sums, norms and extremes over dimensions.

use super::arithmetic::{add, scaled};
use super::draft::Draft;
use super::node::{Node, axes};
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{MaxPool2d, Op, ReduceMean, Unary};

/// `ReduceMean`, `ReduceSum` and those that are composed with them, `ReduceMax` and `ReduceMin`.
pub(super) fn reduce(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let (rank, lead) = (draft.shape(x).len(), draft.lead());
    let given = node.list("axes", 1)?.unwrap_or_default();
    let dims: Vec<usize> = match given.as_slice() {
        [] if node.integer("noop_with_empty_axes", 0)? != 0 => Vec::new(),
        [] => (lead..lead + rank).collect(),
        given => axes(given, rank)?.into_iter().map(|dim| dim + lead).collect(),
    };
    let over = Over { dims, keepdim: node.integer("keepdims", 1)? != 0 };
    let inner = format!("{name}.inner");
    let y = match node.operator() {
        "ReduceMean" => over.mean(draft, name, x)?,
        "ReduceSum" => over.sum(draft, name, x)?,
        "ReduceMax" => over.largest(draft, name, x)?,
        "ReduceMin" => {
            let negative = scaled(draft, &format!("{name}.negative"), x, -1.0)?;
            let largest = over.largest(draft, &inner, &negative)?;
            scaled(draft, name, &largest, -1.0)?
        }
        "ReduceL1" => {
            let sizes = draft.layer(&inner, Unary::Abs, &[x])?;
            over.sum(draft, name, &sizes)?
        }
        "ReduceSumSquare" => {
            let squares = draft.layer(&format!("{name}.squares"), Op::Mul, &[x, x])?;
            over.sum(draft, name, &squares)?
        }
        "ReduceL2" => {
            let squares = draft.layer(&format!("{name}.squares"), Op::Mul, &[x, x])?;
            let sum = over.sum(draft, &inner, &squares)?;
            draft.layer(name, Unary::Sqrt, &[&sum])?
        }
        "ReduceLogSum" => {
            let sum = over.sum(draft, &inner, x)?;
            draft.layer(name, Unary::Log, &[&sum])?
        }
        "ReduceLogSumExp" => over.log_sum_exp(draft, name, x)?,
        other => return Err(Refusal::damaged(format!("is {other}, which reduces nothing"))),
    };
    Ok(vec![Value::Traced(y)])
}

/// Dimensions of the network's values, in order, and whether they stay with the size 1.
pub(super) struct Over {
    pub dims: Vec<usize>,
    pub keepdim: bool,
}

impl Over {
    /// The same, so that the result can be repeated to the value's shape.
    fn kept(&self) -> Self {
        Over { dims: self.dims.clone(), keepdim: true }
    }

    /// The shape of what is reduced.
    fn shape(&self, x: &Traced) -> Vec<usize> {
        let sizes = x.shape.iter().enumerate();
        let sizes = sizes.filter(|(d, _)| self.keepdim || !self.dims.contains(d));
        sizes.map(|(d, &size)| if self.dims.contains(&d) { 1 } else { size }).collect()
    }

    pub fn mean(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        if self.dims.is_empty() {
            return Ok(x.clone());
        }
        draft.layer(name, ReduceMean { dims: self.dims.clone(), keepdim: self.keepdim }, &[x])
    }

    pub fn sum(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        if self.dims.is_empty() {
            return Ok(x.clone());
        }
        let count: usize = self.dims.iter().map(|&dim| x.shape[dim]).product();
        let mean = self.mean(draft, &format!("{name}.mean"), x)?;
        scaled(draft, name, &mean, count as f32)
    }

    /// The largest elements: max-pools over lines, for each row of neighbouring dimensions one.
    pub fn largest(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        if self.dims.contains(&0) {
            return Err(Refusal::MixesBatch);
        }
        let mut y = x.clone();
        for run in self.dims.chunk_by(|a, b| a + 1 == *b) {
            let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
            let (batch, length) = (y.shape[0], run.iter().map(|&dim| y.shape[dim]).product::<usize>());
            let (outer, inner): (usize, usize) =
                (y.shape[1..first].iter().product(), y.shape[last + 1..].iter().product());
            let size = if inner == 1 { [1, length] } else { [length, 1] };
            let lines = [batch, outer, length / size[1], inner.max(size[1])];
            let lines = draft.view(&format!("{name}.lines.{first}"), &y, &lines)?;
            let pool = MaxPool2d { kernel: size, stride: size, ..MaxPool2d::new(1, 1) };
            let largest = draft.layer(&format!("{name}.{first}"), pool, &[&lines])?;
            let mut shape = y.shape.clone();
            shape[first..=last].fill(1);
            y = draft.view(&format!("{name}.restored.{first}"), &largest, &shape)?;
        }
        let shape = self.shape(x);
        draft.view(name, &y, &shape)
    }

    /// The logarithm of a sum of exponentials, which the largest element leaves in their range.
    fn log_sum_exp(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        let largest = self.kept().largest(draft, &format!("{name}.largest"), x)?;
        let less = below(draft, &format!("{name}.less"), x, &largest)?;
        let powers = draft.layer(&format!("{name}.powers"), Unary::Exp, &[&less])?;
        let sum = self.sum(draft, &format!("{name}.sum"), &powers)?;
        let log = draft.layer(&format!("{name}.log"), Unary::Log, &[&sum])?;
        let shape = self.shape(x);
        let largest = draft.view(&format!("{name}.restored"), &largest, &shape)?;
        add(draft, name, &Value::Traced(log), &Value::Traced(largest))
    }

    /// The logarithm of a softmax: what is left of each element without the logarithm of the sum of exponentials.
    pub fn log_softmax(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        let largest = self.kept().largest(draft, &format!("{name}.largest"), x)?;
        let less = below(draft, &format!("{name}.less"), x, &largest)?;
        let powers = draft.layer(&format!("{name}.powers"), Unary::Exp, &[&less])?;
        let sum = self.kept().sum(draft, &format!("{name}.sum"), &powers)?;
        let log = draft.layer(&format!("{name}.log"), Unary::Log, &[&sum])?;
        below(draft, name, &less, &log)
    }

    /// A value with the mean 0 and the variance 1.
    pub fn standardized(&self, draft: &mut Draft, name: &str, x: &Traced, eps: f32) -> Outcome<Traced> {
        let mean = self.kept().mean(draft, &format!("{name}.mean"), x)?;
        let centred = below(draft, &format!("{name}.centred"), x, &mean)?;
        let squares = draft.layer(&format!("{name}.squares"), Op::Mul, &[&centred, &centred])?;
        let variance = self.kept().mean(draft, &format!("{name}.variance"), &squares)?;
        let variance = super::arithmetic::shifted(draft, &format!("{name}.kept"), &variance, eps)?;
        let deviation = draft.layer(&format!("{name}.deviation"), Unary::Sqrt, &[&variance])?;
        let share = draft.layer(&format!("{name}.share"), Unary::Reciprocal, &[&deviation])?;
        draft.layer(name, Op::Mul, &[&centred, &share])
    }
}

/// A value without another.
fn below(draft: &mut Draft, name: &str, x: &Traced, less: &Traced) -> Outcome<Traced> {
    let negative = scaled(draft, &format!("{name}.negative"), less, -1.0)?;
    add(draft, name, &Value::Traced(x.clone()), &Value::Traced(negative))
}
