//! Which format a video has, told by how it begins.

/// A format that is read without any other program.
///
/// ```
/// use vultus::video::VideoFormat;
///
/// let advice = |beginning: &[u8]| match VideoFormat::of(beginning) {
///     Some(VideoFormat::Y4m) => "says its frame rate",
///     Some(VideoFormat::Mjpeg) => "needs a frame rate",
///     None => "needs ffmpeg",
/// };
/// assert_eq!(advice(&[0xFF, 0xD8, 0xFF, 0xDB]), "needs a frame rate");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoFormat {
    /// YUV4MPEG2: uncompressed frames after a line of text.
    Y4m,
    /// JPEG pictures one after the other.
    Mjpeg,
}

impl VideoFormat {
    /// How many bytes [`VideoFormat::of`] needs.
    pub const BEGINNING: usize = 10;

    /// The format of a video that begins with these bytes, if it is one of those.
    ///
    /// ```
    /// use vultus::video::VideoFormat;
    ///
    /// assert_eq!(VideoFormat::of(b"YUV4MPEG2 W640 H480"), Some(VideoFormat::Y4m));
    /// assert_eq!(VideoFormat::of(&[0xFF, 0xD8, 0xFF, 0xE0]), Some(VideoFormat::Mjpeg));
    /// assert_eq!(VideoFormat::of(b"\0\0\0\x20ftypisom"), None);
    /// ```
    pub fn of(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(b"YUV4MPEG2 ") {
            Some(VideoFormat::Y4m)
        } else if beginning.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(VideoFormat::Mjpeg)
        } else {
            None
        }
    }
}
