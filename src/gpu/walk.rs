//! What the kernels share that walk over several values by strides: `shaders/shared/walk.wgsl`, `pairs.wgsl` and `sums.wgsl`.

use std::ops::Range;

use bytemuck::Zeroable;

use super::buffer::View;
use super::compile::{Compiler, Operands};
use super::kernel::Kernel;
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::broadcast::{reduction, terms, walk};
use crate::ops::walk::{Dimension, MOST_DIMENSIONS, Walk};

uniform! {
    /// The parameters of these kernels.
    pub(super) struct Params {
        pub dims: [[u32; 4]; MOST_DIMENSIONS],
        pub length: u32,
        pub count: u32,
        pub kept: u32,
        pub terms: u32,
        pub a_offset: u32,
        pub b_offset: u32,
        pub out_offset: u32,
        pub grid: u32,
        pub number: f32,
    }
}

impl Params {
    /// For so many elements, and walks one within the other.
    pub fn new(length: usize, outer: &Walk, inner: &Walk, grid: [usize; 3]) -> Self {
        let mut params = Params { length: length as u32, grid: grid[0] as u32, number: 1.0, ..Params::zeroed() };
        params.kept = outer.dimensions().len() as u32;
        params.count = params.kept + inner.dimensions().len() as u32;
        params.terms = inner.len() as u32;
        let dimensions = outer.dimensions().iter().chain(inner.dimensions());
        for (to, Dimension { size, strides }) in params.dims.iter_mut().zip(dimensions) {
            *to = [*size, strides[0], strides[1], strides[2]].map(|number| number as u32);
        }
        params
    }

    /// For a walk that is not within another.
    pub fn flat(length: usize, walk: &Walk, grid: [usize; 3]) -> Self {
        Params::new(length, walk, &Walk::default(), grid)
    }
}

/// The shape of these images of a value in the first dimension of a shape with which it is broadcast.
fn images_of(shape: &[usize], whole: &[usize], images: &Range<usize>) -> Vec<usize> {
    let mut part = shape.to_vec();
    if has_images(shape, whole) {
        part[0] = images.len();
    }
    part
}

/// Whether a value has the first dimension of the shape to which it is broadcast.
fn has_images(shape: &[usize], whole: &[usize]) -> bool {
    shape.len() == whole.len() && shape[0] == whole[0]
}

/// Where the elements of these images are.
fn elements_of(shape: &[usize], whole: &[usize], images: &Range<usize>) -> Range<usize> {
    let length: usize = shape.iter().product();
    if !has_images(shape, whole) {
        return 0..length;
    }
    let image = length / shape[0];
    images.start * image..images.end * image
}

/// Pieces of a first dimension of this size, so small that each of these lengths (per image) fits a binding.
pub(super) fn images(compiler: &Compiler, lengths: &[usize], count: usize) -> Vec<Range<usize>> {
    let images = compiler.images_per_dispatch(lengths, lengths.iter().copied().max().unwrap_or(1) as u64);
    (0..count).step_by(images).map(|first| first..(first + images).min(count)).collect()
}

/// All of a first dimension of this size as one piece.
pub(super) fn at_once(count: usize) -> Vec<Range<usize>> {
    std::iter::once(0..count).collect()
}

/// Pieces of the first dimension of `whole`, so small that of every value whose shape is given the part fits a binding.
fn pieces(compiler: &Compiler, shapes: &[&[usize]], whole: &[usize]) -> Vec<Range<usize>> {
    let image = |shape: &&[usize]| shape.iter().product::<usize>() / shape[0];
    let lengths: Vec<usize> = shapes.iter().filter(|shape| has_images(shape, whole)).map(image).collect();
    images(compiler, &lengths, whole[0])
}

/// The bindings of all operands for these images.
fn views(compiler: &Compiler, operands: &Operands, whole: &[usize], images: &Range<usize>) -> Result<Vec<View>> {
    let storages = operands.inputs.iter().chain(operands.outputs);
    let shapes = operands.shapes.iter().chain(operands.output_shapes);
    storages.zip(shapes).map(|(s, shape)| compiler.gpu.view(s, elements_of(shape, whole, images))).collect()
}

/// Two values element by element: with one kernel where they have the same shape, with another where one is repeated.
/// `number` is for kernels that take one.
pub(super) fn pairs(
    compiler: &mut Compiler,
    [equal, repeated]: [&'static Kernel; 2],
    operands: &Operands,
    number: f32,
) -> Result<()> {
    let ([first, second], [out]) = (operands.inputs()?, operands.outputs()?);
    let (a, b, whole) = (operands.shapes[0], operands.shapes[1], operands.output_shapes[0]);
    if a == b {
        for values in compiler.stretches(out.len, 1) {
            let mut views = Vec::new();
            for storage in [first, second, out] {
                views.push(compiler.gpu.view(storage, values.clone())?);
            }
            let grid = compiler.folded(values.len().div_ceil(256));
            let params = Params { number, ..Params::flat(values.len(), &Walk::default(), grid) };
            dispatch(compiler, equal, params, &views, grid, values.len())?;
        }
        return Ok(());
    }
    for images in pieces(compiler, &[a, b, whole], whole) {
        let result = images_of(whole, whole, &images);
        let walk = walk(&images_of(a, whole, &images), &images_of(b, whole, &images), &result);
        let grid = compiler.folded(walk.len().div_ceil(256));
        let views = views(compiler, operands, whole, &images)?;
        let params = Params { number, ..Params::flat(walk.len(), &walk, grid) };
        dispatch(compiler, repeated, params, &views, grid, walk.len())?;
    }
    Ok(())
}

/// From this many terms on, a workgroup per result pays.
const WIDE: usize = 32;

/// Results that keep a GPU busy with an invocation each.
const ENOUGH: usize = 4096;

/// Sums of the elements of one value, or of products of two, down to the shape `kept`, times a number: with one kernel
/// where an invocation makes a result, with the other where a workgroup does.
pub(super) fn sums(
    compiler: &mut Compiler,
    [narrow, wide]: [&'static Kernel; 2],
    operands: &Operands,
    whole: &[usize],
    kept: &[usize],
    number: f32,
) -> Result<()> {
    let [out] = operands.outputs()?;
    let (a, b) = (operands.shapes[0], operands.shapes[operands.shapes.len() - 1]);
    let terms = terms(whole, kept);
    // A result that is summed over all images needs them at once.
    let cuts = if has_images(kept, whole) { pieces(compiler, &[a, b], whole) } else { at_once(whole[0]) };
    for images in cuts {
        let of = |shape: &[usize]| images_of(shape, whole, &images);
        let (outer, inner) = reduction(&of(a), &of(b), &of(whole), &of(kept));
        let (_, row) = outer.rows();
        // Neighbouring invocations that read neighbouring elements are as fast as a workgroup for each result.
        let side_by_side = row.strides[0] == 1 && row.size >= 64 && outer.len() >= ENOUGH;
        let default = if terms < WIDE || side_by_side { narrow } else { wide };
        let kernel = compiler.choose(&[narrow, wide], default);
        let groups = if std::ptr::eq(kernel, wide) { outer.len() } else { outer.len().div_ceil(64) };
        let grid = compiler.folded(groups);
        let params = Params { number, ..Params::new(outer.len(), &outer, &inner, grid) };
        let storages = operands.inputs.iter().zip(operands.shapes);
        let mut views: Vec<View> = storages
            .map(|(storage, shape)| compiler.gpu.view(storage, elements_of(shape, whole, &images)))
            .collect::<Result<_>>()?;
        views.push(compiler.gpu.view(out, elements_of(kept, whole, &images))?);
        dispatch(compiler, kernel, params, &views, grid, outer.len() * terms)?;
    }
    Ok(())
}

/// One value read in another order: `shape` is what it has in the dimensions of the result.
pub(super) fn spread(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    operands: &Operands,
    shape: &[usize],
    number: f32,
) -> Result<()> {
    let ([source], [out]) = (operands.inputs()?, operands.outputs()?);
    let whole = operands.output_shapes[0];
    for images in pieces(compiler, &[shape, whole], whole) {
        let (part, result) = (images_of(shape, whole, &images), images_of(whole, whole, &images));
        let walk = walk(&part, &part, &result);
        let grid = compiler.folded(walk.len().div_ceil(256));
        let source = compiler.gpu.view(source, elements_of(shape, whole, &images))?;
        let out = compiler.gpu.view(out, elements_of(whole, whole, &images))?;
        let params = Params { number, ..Params::flat(walk.len(), &walk, grid) };
        dispatch(compiler, kernel, params, &[source, out], grid, walk.len())?;
    }
    Ok(())
}

/// Adds a dispatch whose offsets are those of its bindings: a, b where there are three, out.
pub(super) fn dispatch(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    params: Params,
    views: &[View],
    grid: [usize; 3],
    flops: usize,
) -> Result<()> {
    let params = Params {
        a_offset: params.a_offset + views[0].offset,
        b_offset: params.b_offset + views[views.len() / 2].offset,
        out_offset: params.out_offset + views[views.len() - 1].offset,
        ..params
    };
    compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, flops as u64)
}
