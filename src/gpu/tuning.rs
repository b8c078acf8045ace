//! Which kernel is the fastest for an operation on given shapes, as far as it has been measured on this device.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ops::{Activation, Conv2dBackwardInput, Conv2dBackwardWeight, Op};

/// What the tuner has found out about one operation on inputs of given shapes.
///
/// ```no_run
/// use std::time::Duration;
/// use vultus::gpu::Gpu;
/// use vultus::nn::light;
/// use vultus::{Device, Options};
///
/// let (gpu, network) = (Gpu::new()?, light::network(48, 0.0, 7));
/// gpu.tune_within(Duration::from_secs(10));
/// Device::Gpu(gpu.clone()).load(&network, &network.initialize(1)?)?.compile(1, &Options::default())?;
/// for (operation, tuned) in gpu.tuned() {
///     println!("{operation}: {:?}, {:.3} ms", tuned.kernel, tuned.milliseconds);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The kernel or algorithm that was the fastest; `None` if it is what the rules choose.
    pub kernel: Option<String>,
    /// Its milliseconds.
    pub milliseconds: f64,
    /// The milliseconds of what the rules choose; `None` if its result was wrong on this device.
    pub rule_milliseconds: Option<f64>,
    /// Other candidates whose result was wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
}

/// By operation and shapes.
pub(super) type Table = BTreeMap<String, Tuned>;

/// The tuner's state on a device.
#[derive(Default)]
pub(super) struct Tuning {
    pub table: Table,
    /// The time that may still be spent with measuring.
    pub left: Duration,
}

/// The name of an operation on these shapes in the table.
pub(crate) fn tuning_key(op: &Op, shapes: &[&[usize]]) -> String {
    let join = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let activation = |function: Option<Activation>| function.map_or_else(String::new, |it| format!(", {}", it.name()));
    let shapes: Vec<String> = shapes.iter().map(|shape| join(shape)).collect();
    let parameters = match op {
        Op::Conv2d(conv)
        | Op::Conv2dBackwardInput(Conv2dBackwardInput { conv, .. })
        | Op::Conv2dBackwardWeight(Conv2dBackwardWeight(conv)) => {
            let (stride, padding, dilation) = (join(&conv.stride), join(&conv.padding), join(&conv.dilation));
            let groups = conv.groups;
            let activation = activation(conv.activation);
            format!(", stride {stride}, padding {padding}, dilation {dilation}, {groups} groups{activation}")
        }
        Op::Dense(dense) => activation(dense.activation),
        _ => String::new(),
    };
    let size = match op {
        Op::Conv2dBackwardInput(op) => format!(", to {}{}", join(&op.size), activation(op.activation)),
        _ => String::new(),
    };
    format!("{} of {}{parameters}{size}", op.name(), shapes.join(" "))
}
