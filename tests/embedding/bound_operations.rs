//! Kernels find their values wherever a binding begins.

use std::collections::BTreeSet;

use vultus::gpu::GpuOptions;
use vultus::gpu::Port::{self, Input, Output};
use vultus::ops::{Case, Op};
use vultus::{Error, Options, Random, Result, Tensor, wgpu};

use super::application::{Application, Own, STEP, request};
use super::buffers::bits;
use crate::compare::checked;
use crate::compare::twins::Twins;

/// Runs an operation with all inputs and outputs bound; the bits of the latter.
fn run_bound(app: &Application, op: &Op, inputs: &[Tensor], options: Options) -> Result<Vec<Vec<u32>>> {
    let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
    let outputs = op.output_shapes(&shapes).unwrap();
    let ports: Vec<Port> = (0..inputs.len()).map(Input).chain((0..outputs.len()).map(Output)).collect();
    let mut plan = app.engine.compile_op(op, &shapes, &Options { bound: ports.clone(), ..options })?;
    let held: Vec<Own> = inputs.iter().enumerate().map(|(i, x)| app.holding(x.data(), STEP * (i + 1))).collect();
    let rooms = outputs.iter().enumerate().map(|(i, shape)| app.room(shape.iter().product(), STEP * i));
    let held: Vec<Own> = held.into_iter().chain(rooms).collect();
    let buffers: Vec<_> = ports.iter().zip(&held).map(|(&port, own)| (port, own.binding())).collect();
    let binding = plan.gpu().unwrap().bind(&buffers).unwrap();
    plan.execute_bound(&binding).unwrap();
    let found: Vec<Vec<f32>> = held.iter().map(|own| app.values(own)).collect();
    for (found, x) in found.iter().zip(inputs) {
        assert_eq!(bits(found), bits(x.data()), "{} has changed an input", op.name());
    }
    Ok(found[inputs.len()..].iter().map(|found| bits(found)).collect())
}

/// Each operation gives the same bits, also in checked plans and where work is cut into parts.
#[test]
fn every_operation_computes_the_same_in_bound_buffers() {
    let (device, queue) = request(wgpu::Limits::default());
    let small = GpuOptions { max_binding: 1 << 14, flops_per_submit: Some(200_000), ..GpuOptions::default() };
    let apps = [
        Application::with_options(device.clone(), queue.clone(), GpuOptions::default()),
        Application::with_options(device, queue, small),
    ];
    let (mut random, mut in_place, mut compared) = (Random::new(11), BTreeSet::new(), [0; 2]);
    for (_, twins) in Twins::all() {
        let random_cases: Vec<_> = (0..6).map(|_| (twins.random_case)(&mut random)).collect();
        let is_small = |case: &&Case| {
            let shapes = case.shapes();
            let outputs = case.op.output_shapes(&shapes).unwrap();
            let values = |shape: &[usize]| shape.iter().product::<usize>();
            let most = shapes.iter().map(|s| values(s)).chain(outputs.iter().map(|s| values(s))).max();
            most < Some(1 << 15)
        };
        for (seed, case) in (twins.cases)().iter().chain(&random_cases).filter(is_small).enumerate() {
            let inputs = case.inputs(seed as u64);
            for (app, options) in
                [(&apps[0], Options::default()), (&apps[0], checked()), (&apps[1], Options::default())]
            {
                let is_small = std::ptr::eq(app, &apps[1]);
                let found = match run_bound(app, &case.op, &inputs, options.clone()) {
                    // One image, or all weights, may be too large for the small bindings.
                    Err(Error::Limit { .. }) if is_small => continue,
                    Err(error) if error.to_string().contains("from run to run") => {
                        in_place.insert(case.op.name());
                        break;
                    }
                    found => found.unwrap_or_else(|error| panic!("{}: {error}", case.name())),
                };
                let mut own = app.engine.compile_op(&case.op, &case.shapes(), &options).unwrap();
                let wanted: Vec<_> = own.run_all(&inputs).unwrap().iter().map(|wanted| bits(wanted.data())).collect();
                assert_eq!(found, wanted, "{}", case.name());
                compared[usize::from(is_small)] += 1;
            }
        }
    }
    assert!(compared.iter().all(|&cases| cases > 100), "{compared:?}");
    assert_eq!(Vec::from_iter(in_place), ["accumulate", "adam", "batch_norm2d_running", "ema", "sgd"]);
}
