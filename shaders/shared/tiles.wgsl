// Products of matrices in tiles that lie in workgroup memory.
//
// A workgroup makes a tile of TILE × TILE in steps of 8 along the inner dimension: each invocation fetches one vec4 of
// either side, and makes 8 × 8 of a tile of 128, or 4 × 8 of one of 64 (which takes half the registers). Tiles lie in
// workgroup memory as [half][inner][row or column / 4]: while one half is multiplied, the other is filled, so that a
// step needs one barrier. A vec4 is always written by one invocation: two that wrote components of the same one would
// race.

override TILE: u32 = 128u;

const STEP: u32 = 8u;
override INVOCATIONS: u32 = 2u * TILE;
override QUADS: u32 = TILE / 4u;
// Row quads of one invocation, whose rows lie ROW_STEP quads apart; the two column quads lie COLUMN_STEP apart.
override ROW_QUADS: u32 = TILE / 64u;
override ROW_STEP: u32 = QUADS / ROW_QUADS;
override COLUMN_STEP: u32 = QUADS / 2u;
override HALF: u32 = STEP * QUADS;

var<workgroup> a_tile: array<vec4<f32>, 2u * HALF>;
var<workgroup> b_tile: array<vec4<f32>, 2u * HALF>;

// One row of a tile of each side. The sums of a quad of rows and one of columns lie side by side, four vec4s.
fn multiply_row(sums: ptr<function, array<vec4<f32>, 16>>, a_row: u32, b_row: u32) {
    let a0 = a_tile[a_row];
    let b0 = b_tile[b_row];
    (*sums)[0] += a0.x * b0;
    (*sums)[1] += a0.y * b0;
    (*sums)[2] += a0.z * b0;
    (*sums)[3] += a0.w * b0;
    let b1 = b_tile[b_row + COLUMN_STEP];
    (*sums)[4] += a0.x * b1;
    (*sums)[5] += a0.y * b1;
    (*sums)[6] += a0.z * b1;
    (*sums)[7] += a0.w * b1;
    if (ROW_QUADS == 2u) {
        let a1 = a_tile[a_row + ROW_STEP];
        (*sums)[8] += a1.x * b0;
        (*sums)[9] += a1.y * b0;
        (*sums)[10] += a1.z * b0;
        (*sums)[11] += a1.w * b0;
        (*sums)[12] += a1.x * b1;
        (*sums)[13] += a1.y * b1;
        (*sums)[14] += a1.z * b1;
        (*sums)[15] += a1.w * b1;
    }
}

// One half of the tiles, which begins at `half`.
fn multiply(sums: ptr<function, array<vec4<f32>, 16>>, half: u32, local: u32) {
    let a = half + local / COLUMN_STEP;
    let b = half + local % COLUMN_STEP;
    multiply_row(sums, a, b);
    multiply_row(sums, a + QUADS, b + QUADS);
    multiply_row(sums, a + 2u * QUADS, b + 2u * QUADS);
    multiply_row(sums, a + 3u * QUADS, b + 3u * QUADS);
    multiply_row(sums, a + 4u * QUADS, b + 4u * QUADS);
    multiply_row(sums, a + 5u * QUADS, b + 5u * QUADS);
    multiply_row(sums, a + 6u * QUADS, b + 6u * QUADS);
    multiply_row(sums, a + 7u * QUADS, b + 7u * QUADS);
}
