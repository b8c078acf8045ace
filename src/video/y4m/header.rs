//! The line that a Y4M video begins with.

use super::super::MAX_FRAME_PIXELS;
use super::super::frame_rate::FrameRate;
use crate::image::yuv::Range;

/// The magic word.
pub(super) const MAGIC: &str = "YUV4MPEG2";

/// What the planes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planes {
    /// Luma alone.
    Mono,
    /// Luma, and chroma of a pixel for so many columns and rows.
    Chroma { columns: u32, rows: u32 },
}

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    /// None where it is unknown (0:0) or not said.
    pub rate: Option<FrameRate>,
    pub planes: Planes,
    pub range: Range,
    /// Width and height of a pixel relative to each other; none where they are equal, unknown (0:0) or not said.
    pub aspect: Option<[u32; 2]>,
}

/// The most that a pixel is wider or higher than the other way: what says more is damaged.
const MOST_STRETCHED: u32 = 8;

impl Header {
    /// Reads the line, without the line break.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line).map_err(|_| "its first line is not text".to_owned())?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        if words.next() != Some(MAGIC) {
            return Err(format!("it does not begin with {MAGIC}"));
        }
        let (mut width, mut height) = (None, None);
        let (mut rate, mut planes, mut range, mut aspect) = (None, subsampled(2, 2), Range::Limited, None);
        for word in words {
            let Some(tag) = word.chars().next() else { continue };
            let value = &word[tag.len_utf8()..];
            match tag {
                'W' => width = Some(side("width", value)?),
                'H' => height = Some(side("height", value)?),
                'F' => rate = parse_rate(value)?,
                'C' => planes = parse_planes(value)?,
                'X' if value == "COLORRANGE=FULL" => range = Range::Full,
                'A' => aspect = parse_aspect(value),
                // Interlacing, comments: nothing that changes what is in the planes.
                _ => {}
            }
        }
        let (Some(width), Some(height)) = (width, height) else {
            return Err("its first line does not say the width (W) and the height (H)".to_owned());
        };
        let header = Header { width, height, rate, planes, range, aspect };
        for (width, height) in [(width, height), header.square_size()] {
            if u64::from(width) * u64::from(height) > MAX_FRAME_PIXELS {
                return Err(format!("its frames have {width}×{height} pixels, at most {MAX_FRAME_PIXELS} are read"));
            }
        }
        Ok(header)
    }

    /// Width and height of a frame in square pixels: the side along which pixels are longer has more of them.
    pub fn square_size(&self) -> (u32, u32) {
        let stretched = |side: u32, by: u32, over: u32| {
            u32::try_from((2 * u64::from(side) * u64::from(by) / u64::from(over)).div_ceil(2)).unwrap_or(u32::MAX)
        };
        match self.aspect {
            Some([wide, high]) if wide > high => (stretched(self.width, wide, high), self.height),
            Some([wide, high]) => (self.width, stretched(self.height, high, wide)),
            None => (self.width, self.height),
        }
    }

    /// Width and height of each chroma plane.
    pub fn chroma_size(&self) -> (usize, usize) {
        match self.planes {
            Planes::Mono => (0, 0),
            Planes::Chroma { columns, rows } => {
                (self.width.div_ceil(columns) as usize, self.height.div_ceil(rows) as usize)
            }
        }
    }

    /// The bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        let (width, height) = self.chroma_size();
        self.width as usize * self.height as usize + 2 * width * height
    }
}

fn subsampled(columns: u32, rows: u32) -> Planes {
    Planes::Chroma { columns, rows }
}

fn side(name: &str, value: &str) -> Result<u32, String> {
    let side = value.parse().ok().filter(|&side| side > 0);
    side.ok_or_else(|| format!("its first line says the {name} {value:?}, which is no number of pixels"))
}

fn parse_rate(value: &str) -> Result<Option<FrameRate>, String> {
    let wrong = || format!("its first line says the frame rate {value:?}, which is no ratio such as 25:1");
    let (numerator, denominator) = value.split_once(':').ok_or_else(wrong)?;
    let whole = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    Ok(FrameRate::new(whole(numerator)?, whole(denominator)?))
}

/// A pixel's shape, where it says anything that can be.
fn parse_aspect(value: &str) -> Option<[u32; 2]> {
    let (wide, high) = value.split_once(':')?;
    let [wide, high] = [wide.parse::<u32>().ok()?, high.parse::<u32>().ok()?];
    let most = wide.max(high) / wide.min(high).max(1);
    (wide != high && wide.min(high) > 0 && most < MOST_STRETCHED).then_some([wide, high])
}

fn parse_planes(value: &str) -> Result<Planes, String> {
    match value {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(subsampled(2, 2)),
        "422" => Ok(subsampled(2, 1)),
        "444" => Ok(subsampled(1, 1)),
        "mono" => Ok(Planes::Mono),
        _ => {
            let known = "420jpeg, 420mpeg2, 420paldv, 422, 444 and mono with 8 bits are read";
            Err(format!("its frames are stored as {value:?}: {known}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_of_it() {
        let header = Header::parse(b"YUV4MPEG2 W5 H3 F30000:1001 Ip A128:117 C420mpeg2 XYSCSS=420MPEG2").unwrap();
        let rate = FrameRate::new(30000, 1001);
        let (planes, range, aspect) = (subsampled(2, 2), Range::Limited, Some([128, 117]));
        let wanted = Header { width: 5, height: 3, rate, planes, range, aspect };
        assert_eq!(header, wanted);
        // Odd sides: chroma of 3 × 2.
        assert_eq!((header.chroma_size(), header.frame_bytes()), ((3, 2), 15 + 12));
        let sizes = ["C422", "C444", "Cmono", "C420jpeg XCOLORRANGE=FULL", ""]
            .map(|more| Header::parse(format!("YUV4MPEG2 H3 W5 {more}").as_bytes()).unwrap().frame_bytes());
        assert_eq!(sizes, [15 + 18, 45, 15, 27, 27]);
    }

    #[test]
    fn frames_have_square_pixels_in_the_end() {
        let size = |tags: &str| Header::parse(format!("YUV4MPEG2 {tags}").as_bytes()).unwrap().square_size();
        assert_eq!(size("W1440 H1080 A4:3"), (1920, 1080));
        assert_eq!(size("W720 H576 A64:45"), (1024, 576));
        assert_eq!(size("W720 H480 A8:9"), (720, 540));
        // Unknown, equal, nonsense.
        for tags in ["A0:0", "A1:1", "A5:5", "A0:7", "A9", "Ax:y", "A1000:1", ""] {
            assert_eq!(size(&format!("W720 H576 {tags}")), (720, 576), "{tags}");
        }
        assert!(Header::parse(b"YUV4MPEG2 W8000 H8000 A5:1").is_err());
    }

    #[test]
    fn what_is_not_known_is_said() {
        let cases = [
            ("YUV4MPEG2 W5", "the height (H)"),
            ("YUV4MPEG2 W0 H3", "the width \"0\""),
            ("YUV4MPEG2 W-5 H3", "the width \"-5\""),
            ("YUV4MPEG2 W99999999999 H3", "no number"),
            ("YUV4MPEG2 W65536 H65536", "65536×65536 pixels"),
            ("YUV4MPEG2 W4294967295 H4294967295", "at most"),
            ("YUV4MPEG2 W5 H3 F25", "25:1"),
            ("YUV4MPEG2 W5 H3 C420p10", "\"420p10\""),
            ("YUV4MPEG2 W5 H3 C444alpha", "8 bits are read"),
            ("YUV4MPEG W5 H3", "YUV4MPEG2"),
        ];
        for (line, reason) in cases {
            let error = Header::parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
        assert!(Header::parse(b"YUV4MPEG2 \xFF").is_err());
        assert_eq!(Header::parse(b"YUV4MPEG2 W5 H3 F0:0").unwrap().rate, None);
    }
}
