// Grad-CAM from what a gradient plan leaves on the device: the feature maps of a layer, weighted by the means of their
// gradients and summed; what speaks against the class is left out, the rest divided by the highest value.

override CHANNELS: u32;
override PLACES: u32;

// [CHANNELS, PLACES] both.
@group(0) @binding(0) var<storage, read> maps: array<f32>;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> heat: array<f32>;

const INVOCATIONS = 64u;

// A network's last layers have this many channels at most.
var<workgroup> weights: array<f32, 2048>;

@compute @workgroup_size(INVOCATIONS)
fn weigh(@builtin(local_invocation_index) index: u32) {
    for (var channel = index; channel < CHANNELS; channel += INVOCATIONS) {
        var sum = 0.0;
        for (var place = 0u; place < PLACES; place++) {
            sum += gradients[channel * PLACES + place];
        }
        weights[channel] = sum / f32(PLACES);
    }
    workgroupBarrier();
    for (var place = index; place < PLACES; place += INVOCATIONS) {
        var sum = 0.0;
        for (var channel = 0u; channel < CHANNELS; channel++) {
            sum += weights[channel] * maps[channel * PLACES + place];
        }
        heat[place] = max(sum, 0.0);
    }
    storageBarrier();
    var highest = 0.0;
    for (var place = 0u; place < PLACES; place++) {
        highest = max(highest, heat[place]);
    }
    // Nobody divides before everybody has looked.
    storageBarrier();
    for (var place = index; place < PLACES; place += INVOCATIONS) {
        heat[place] = select(0.0, heat[place] / highest, highest > 0.0);
    }
}
