// What a network takes of a pixel of 0 to 255: gray or not, its order of channels, less the mean, by the deviation.
fn normalized(rgb: vec3<f32>, gray: bool, bgr: bool, mean: vec3<f32>, deviation: vec3<f32>) -> vec3<f32> {
    let luma = rgb.x * 0.299 + rgb.y * 0.587 + rgb.z * 0.114;
    let ordered = select(rgb, rgb.zyx, bgr);
    return (select(ordered, vec3<f32>(luma), gray) - mean) / deviation;
}
