// Two values as f16, rounded to the nearest and ties to even: pack2x16float alone may round either way.
fn pair_f16(a: f32, b: f32) -> u32 {
    let bits = bitcast<vec2<u32>>(vec2<f32>(a, b));
    let rounded = (bits + 0xfffu + ((bits >> vec2<u32>(13u)) & vec2<u32>(1u))) & vec2<u32>(0xffffe000u);
    // The sum of a NaN may be a number.
    let is_nan = (bits & vec2<u32>(0x7fffffffu)) > vec2<u32>(0x7f800000u);
    return pack2x16float(bitcast<vec2<f32>>(select(rounded, bits, is_nan)));
}
