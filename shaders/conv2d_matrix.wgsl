// Convolutions as products of matrices (`shared/conv2d_product.wgsl`) by matrix units (`shared/matrix.wgsl`). The inner
// dimension is made of planes, filled up to a multiple of 16, of one tap after the other.

// Planes of the part that a workgroup takes, filled up.
fn part_planes(group: vec3<u32>) -> u32 {
    return (min(product.part, product.planes - group.z * product.part) + STEP - 1u) / STEP * STEP;
}

fn inner_range(group: vec3<u32>) -> vec2<u32> {
    return vec2<u32>(0u, product.taps.x * product.taps.y * part_planes(group));
}

fn left_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let planes = part_planes(group);
    // Planes past the last repeat it: they meet zeros on the other side.
    let plane = min(group.z * product.part + inner % planes, packed_planes() - 1u);
    let row = min(group.y * 16u + quad, packed_rows() - 1u);
    return packed[product.packed_offset + (inner / planes * packed_planes() + plane) * packed_rows() + row];
}

// Where this invocation's four columns meet x with a tap, which is found once for all planes.
var<private> met_tap: u32 = 0xffffffffu;
var<private> met_at: vec4<u32>;
var<private> met_inside: vec4<bool>;

fn meet(first: vec3<u32>, tap: u32) {
    if (tap == met_tap) { return; }
    met_tap = tap;
    let shift = vec2<i32>(vec2<u32>(tap / product.taps.y, tap % product.taps.y)) * product.direction;
    let place1 = next_place(first);
    let place2 = next_place(place1);
    let place3 = next_place(place2);
    let at0 = origin_of(first) + shift;
    let at1 = origin_of(place1) + shift;
    let at2 = origin_of(place2) + shift;
    let at3 = origin_of(place3) + shift;
    met_inside = vec4<bool>(is_inside(at0), is_inside(at1), is_inside(at2), is_inside(at3));
    met_at = vec4<u32>(
        index_of(first.x, at0),
        index_of(place1.x, at1),
        index_of(place2.x, at2),
        index_of(place3.x, at3),
    );
}

fn right_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let planes = part_planes(group);
    meet(place_at((group.x + product.first_group) * 64u + quad * 4u), inner / planes);
    let plane = group.z * product.part + inner % planes;
    let exists = plane < product.planes;
    return x_quad(met_at + min(plane, product.planes - 1u) * product.plane, met_inside & vec4<bool>(exists));
}

fn store_eight(group: vec3<u32>, row: u32, column: u32, sums: Eight) {
    let first = (group.x + product.first_group) * 64u + column;
    store_four_columns(group, row, first, sums.low);
    store_four_columns(group, row, first + 4u, sums.high);
}

fn store_four_columns(group: vec3<u32>, row: u32, column: u32, sums: vec4<f32>) {
    let at0 = place_at(column);
    let at1 = next_place(at0);
    let at2 = next_place(at1);
    let at3 = next_place(at2);
    let at = vec4<u32>(place_in_y(at0), place_in_y(at1), place_in_y(at2), place_in_y(at3));
    store_row(group.y * 64u + row, at + group.z * product.y_part, columns() - min(column, columns()), sums);
}
