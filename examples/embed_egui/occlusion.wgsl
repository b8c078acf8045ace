// Occlusion as `vultus::face::Occlusion` does it, on what a plan leaves on the device: copies of a face that are covered at
// one place each, and what each place counts for by the probabilities that the plan gives for them.

override CHANNELS: u32;
override SIDE: u32;
override CLASSES: u32;

const PLACES = 11u;
const REACH = 0.18;
const SOLID = 0.5;
const INVOCATIONS = 128u;

// The plan's input: the face, and after it a copy for each place of the cover.
@group(0) @binding(0) var<storage, read_write> faces: array<f32>;
// Of the face's channels.
@group(0) @binding(1) var<storage, read_write> means: array<f32>;
// The plan's output.
@group(0) @binding(2) var<storage, read> probabilities: array<f32>;
@group(0) @binding(3) var<uniform> explained: u32;
@group(0) @binding(4) var<storage, read_write> heat: array<f32>;

var<workgroup> shared_values: array<f32, INVOCATIONS>;

// One workgroup for each channel.
@compute @workgroup_size(INVOCATIONS)
fn mean(@builtin(workgroup_id) channel: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    var sum = 0.0;
    for (var place = index; place < SIDE * SIDE; place += INVOCATIONS) {
        sum += faces[channel.x * SIDE * SIDE + place];
    }
    shared_values[index] = sum;
    workgroupBarrier();
    if index == 0u {
        sum = 0.0;
        for (var other = 0u; other < INVOCATIONS; other++) {
            sum += shared_values[other];
        }
        means[channel.x] = sum / f32(SIDE * SIDE);
    }
}

fn center(number: u32, all: u32) -> f32 {
    return (f32(number) + 0.5) / f32(all);
}

// How much a cover hides at this distance from its centre, as a fraction of the face's side.
fn hidden(distance: f32) -> f32 {
    return clamp((1.0 - abs(distance) / REACH) / (1.0 - SOLID), 0.0, 1.0);
}

// One invocation for each value of a face (x) and place of the cover (y).
@compute @workgroup_size(INVOCATIONS)
fn cover(@builtin(global_invocation_id) id: vec3<u32>) {
    let values = CHANNELS * SIDE * SIDE;
    if id.x >= values {
        return;
    }
    let down = hidden(center(id.y / PLACES, PLACES) - center(id.x / SIDE % SIDE, SIDE));
    let across = hidden(center(id.y % PLACES, PLACES) - center(id.x % SIDE, SIDE));
    faces[(1u + id.y) * values + id.x] = mix(faces[id.x], means[id.x / (SIDE * SIDE)], down * across);
}

// How much less probable the class is by a cover.
fn drop(cover: u32) -> f32 {
    return probabilities[explained] - probabilities[(1u + cover) * CLASSES + explained];
}

// One workgroup: for each place the mean over all covers, each by how much it hides there; what speaks against the class is
// left out, the rest divided by the highest value.
@compute @workgroup_size(INVOCATIONS)
fn weigh(@builtin(local_invocation_index) place: u32) {
    var sum = 0.0;
    var weight = 0.0;
    for (var cover = 0u; cover < PLACES * PLACES; cover++) {
        let down = hidden(center(cover / PLACES, PLACES) - center(place / PLACES, PLACES));
        let across = hidden(center(cover % PLACES, PLACES) - center(place % PLACES, PLACES));
        sum += down * across * drop(cover);
        weight += down * across;
    }
    // Invocations beyond the last place are covered by nothing.
    shared_values[place] = select(0.0, max(sum / weight, 0.0), place < PLACES * PLACES);
    workgroupBarrier();
    var highest = 0.0;
    for (var other = 0u; other < PLACES * PLACES; other++) {
        highest = max(highest, shared_values[other]);
    }
    if place < PLACES * PLACES {
        heat[place] = select(0.0, shared_values[place] / highest, highest > 0.0);
    }
}
