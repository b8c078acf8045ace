//! `vultus video`.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use vultus::face::{Architecture, ModelCard};
use vultus::image::RgbImage;
use vultus::ops::Normalization;
use vultus::video::{FrameRate, MjpegWriter, VideoReader, Y4mWriter};
use vultus::weights::safetensors::{self, Precision};

use crate::{json, messages, number, photo, results, text, vultus};

const CLASSES: [&str; 3] = ["calm", "glad, very", "wild"];
/// Where the astronaut's face is in the photo, as facenet-pytorch finds it.
const FACE: [f64; 4] = [181.0, 62.0, 268.0, 172.0];
/// The part of the photo that is the first frame; each later one begins so many pixels further to the left.
const FIRST: [u32; 2] = [150, 40];
const SIDE: u32 = 160;
const STEP: u32 = 5;

/// A folder with a small model whose weights are random.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let card = ModelCard::new(Architecture::Light, CLASSES.map(str::to_owned).into(), 32, Normalization::CAFFE);
    let mut parameters = card.network().unwrap().initialize(3).unwrap();
    // Random weights of the usual size would give one class a probability of 1.
    parameters.get_mut("classifier.0.weight").unwrap().data_mut().iter_mut().for_each(|w| *w *= 0.01);
    let path = folder.path().join("light.safetensors");
    safetensors::write(&path, &parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();
    folder
}

/// `vultus video` on the CPU with the model of this folder.
fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = vultus();
    // Faces count from the first frame on, so that all of these few have one.
    command.args(["video", "--device", "cpu", "--min-face", "40", "--min-hits", "1", "--model"]);
    command.arg(folder.path().join("light.safetensors")).args(arguments);
    command
}

fn video(folder: &TempDir, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Frames in which the astronaut moves to the right.
fn pictures(count: u32) -> Vec<RgbImage> {
    let photo = vultus::image::decode_file(&photo("astronaut.png")).unwrap();
    let cut = |x: u32| image::imageops::crop_imm(&photo, x, FIRST[1], SIDE, SIDE).to_image();
    (0..count).map(|frame| cut(FIRST[0] - STEP * frame)).collect()
}

fn y4m(pictures: &[RgbImage]) -> Vec<u8> {
    let (width, height) = pictures[0].dimensions();
    let mut writer = Y4mWriter::new(Vec::new(), width, height, FrameRate::new(25, 1).unwrap()).unwrap();
    pictures.iter().for_each(|picture| writer.write(picture).unwrap());
    writer.finish().unwrap()
}

/// A file of six frames.
fn clip(folder: &TempDir) -> PathBuf {
    let clip = folder.path().join("clip.y4m");
    fs::write(&clip, y4m(&pictures(6))).unwrap();
    clip
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// Intersection over union of a box and the astronaut's in a frame.
fn overlap(found: &[f64], frame: u64) -> f64 {
    let (dx, dy) = (f64::from(FIRST[0]) - f64::from(STEP) * frame as f64, f64::from(FIRST[1]));
    let wanted = [FACE[0] - dx, FACE[1] - dy, FACE[2] - dx, FACE[3] - dy];
    let area = |b: &[f64]| (b[2] - b[0]) * (b[3] - b[1]);
    let side = |low: usize| (found[low + 2].min(wanted[low + 2]) - found[low].max(wanted[low])).max(0.0);
    let common = side(0) * side(1);
    common / (area(found) + area(&wanted) - common)
}

fn rows(output: &str) -> Vec<Value> {
    output.lines().map(json).collect()
}

/// The faces of all frames.
fn faces(output: &str) -> Vec<Value> {
    rows(output).iter().flat_map(|row| row["faces"].as_array().unwrap().clone()).collect()
}

fn frames(output: &str) -> Vec<u64> {
    rows(output).iter().map(|row| row["frame"].as_u64().unwrap()).collect()
}

/// The frames of a video that was written.
fn read(file: &Path) -> Vec<RgbImage> {
    let bytes = Cursor::new(fs::read(file).unwrap());
    let mut reader = VideoReader::open(file, bytes, FrameRate::new(25, 1).unwrap()).unwrap();
    let mut frames = Vec::new();
    while reader.advance().unwrap() {
        frames.push(reader.image().unwrap());
    }
    frames
}

/// The names in a folder, without those that are there before.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != "clip.y4m" && name != "light.safetensors").collect();
    names.sort();
    names
}

#[test]
fn a_face_is_followed_through_the_frames() {
    let folder = folder();
    let output = results(&video(&folder, &[path(&clip(&folder)), "--json"]), 0);
    assert_eq!(frames(&output), [0, 1, 2, 3, 4, 5]);
    for (frame, row) in rows(&output).into_iter().enumerate() {
        assert!((number(&row["time"]) - frame as f64 / 25.0).abs() < 1e-9, "{row}");
        assert_eq!((&row["width"], &row["height"]), (&SIDE.into(), &SIDE.into()));
    }
    let rows = faces(&output);
    assert_eq!(rows.len(), 6);
    for (frame, row) in (0..).zip(&rows) {
        assert_eq!(row["id"], 1);
        assert!((number(&row["since"]) - frame as f64 / 25.0).abs() < 1e-9, "{row}");
        assert!(overlap(&numbers(&row["box"]), frame) >= 0.6, "{row}");
        assert_eq!(row["landmarks"].as_array().unwrap().len(), 5);
        for key in ["scores", "smoothed"] {
            let scores = row[key].as_object().unwrap();
            assert_eq!(scores.keys().collect::<Vec<_>>().len(), CLASSES.len());
            assert!((scores.values().map(number).sum::<f64>() - 1.0).abs() < 1e-5, "{row}");
        }
        let best = CLASSES.into_iter().max_by(|a, b| number(&row["scores"][*a]).total_cmp(&number(&row["scores"][*b])));
        assert_eq!(row["expression"].as_str(), best);
    }
    assert_eq!(rows[0]["scores"], rows[0]["smoothed"]);
    assert_ne!(rows[5]["scores"], rows[5]["smoothed"]);
    // 1 − e^(−0.04 / 0.4) of the way from the first to the second.
    let [first, second] = [0, 1].map(|row| number(&rows[row]["scores"]["calm"]));
    let wanted = first + (1.0 - (-0.1f64).exp()) * (second - first);
    assert!((number(&rows[1]["smoothed"]["calm"]) - wanted).abs() < 1e-6);
    let single = faces(&results(&video(&folder, &[path(&clip(&folder)), "--json", "--smoothing", "0"]), 0));
    assert!(single.iter().all(|row| row["scores"] == row["smoothed"]));
}

#[test]
fn csv_has_predicts_columns_and_standard_input_is_a_video_too() {
    let (folder, clip) = (folder(), y4m(&pictures(2)));
    let mut child = command(&folder, &["-", "--csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&clip).unwrap();
    let csv = results(&child.wait_with_output().unwrap(), 0);
    let header = "frame,time,face,x1,y1,x2,y2,probability,left_eye_x,left_eye_y,right_eye_x,right_eye_y,\
        nose_x,nose_y,left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y,expression,calm,\"glad, very\",wild,\
        smoothed_calm,\"smoothed_glad, very\",smoothed_wild";
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, header));
    let fields: Vec<String> = lines[2].replace("\"glad, very\"", "glad").split(',').map(str::to_owned).collect();
    assert_eq!(fields.len(), 25);
    assert_eq!(fields[..3], ["1", "0.04", "1"]);
    let bounds: Vec<f64> = fields[3..7].iter().map(|field| field.parse().unwrap()).collect();
    assert!(overlap(&bounds, 1) >= 0.6);
}

#[test]
fn people_get_a_row_for_each_face() {
    let folder = folder();
    let table = results(&video(&folder, &[path(&clip(&folder))]), 0);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert_eq!(lines[0][..5], ["FACE", "FROM", "TO", "FRAMES", "SHARE"]);
    assert_eq!(lines[1][..4], ["1", "0:00.0", "0:00.2", "6"]);
    // How much of the time, and how probable it was then.
    assert!(table.contains("% (at "), "{table}");
}

#[test]
fn what_is_found_in_two_frames_is_nobody_and_every_frame_has_its_row() {
    let folder = folder();
    // The face is there for two frames, gone for one, and there for four.
    let (with, without) = (pictures(7), RgbImage::new(SIDE, SIDE));
    let frames = [&with[..2], &[without], &with[3..]].concat();
    let clip = folder.path().join("clip.y4m");
    fs::write(&clip, y4m(&frames)).unwrap();
    let usual = |options: &[&str]| {
        let mut command = vultus();
        command.args(["video", "--device", "cpu", "--model"]).arg(folder.path().join("light.safetensors"));
        results(&command.arg(&clip).args(options).output().unwrap(), 0)
    };
    let found = usual(&["--json"]);
    let ids = |row: &Value| row["faces"].as_array().unwrap().iter().map(|face| face["id"].as_u64()).collect::<Vec<_>>();
    let ids: Vec<_> = rows(&found).iter().map(ids).collect();
    assert_eq!((&ids[..5], &ids[5..]), (&vec![vec![]; 5][..], &vec![vec![Some(1)]; 2][..]));
    let csv = usual(&["--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 8, "{csv}");
    assert!(lines[1].starts_with("0,0,,,") && lines[1].matches(',').count() == 24, "{}", lines[1]);
    assert!(lines[7].starts_with("6,0.24,1,"), "{}", lines[7]);
    assert!(usual(&[]).lines().nth(1).unwrap().trim_start().starts_with("1 "));
}

#[test]
fn frames_can_be_faces_as_they_are() {
    let folder = folder();
    let clip = folder.path().join("clip.y4m");
    fs::write(&clip, y4m(&vec![RgbImage::from_pixel(48, 48, image::Rgb([90; 3])); 4])).unwrap();
    let mut command = vultus();
    command
        .args(["video", "--device", "cpu", "--json", "--faces", "--model"])
        .arg(folder.path().join("light.safetensors"));
    let found = faces(&results(&command.arg(&clip).output().unwrap(), 0));
    assert_eq!(found.len(), 2, "from the third frame on");
    assert_eq!(numbers(&found[0]["box"]), [0.0, 0.0, 48.0, 48.0]);
    assert_eq!((&found[0]["probability"], &found[0]["landmarks"]), (&Value::Null, &Value::Null));
}

#[test]
fn only_the_frames_that_are_asked_for_are_looked_at() {
    let folder = folder();
    let clip = clip(&folder);
    let of = |options: &[&str]| frames(&results(&video(&folder, &[&[path(&clip), "--json"], options].concat()), 0));
    assert_eq!(of(&["--every", "2"]), [0, 2, 4]);
    assert_eq!(of(&["--from", "0.04", "--to", "0:00.16"]), [1, 2, 3]);
    assert_eq!(of(&["--from", "0:00:00.04", "--every", "3"]), [1, 4]);
    let output = video(&folder, &[path(&clip), "--from", "1:00"]);
    assert!(messages(&output, 1).contains("no frame is at 1:00.0 or later: the last one is at 0:00.2"));
}

#[test]
fn motion_jpeg_has_the_rate_that_is_given() {
    let folder = folder();
    let mut writer = MjpegWriter::new(Vec::new(), 95);
    pictures(3).iter().for_each(|picture| writer.write(picture).unwrap());
    // The format is told by the contents.
    let clip = folder.path().join("clip.mp4");
    fs::write(&clip, writer.finish().unwrap()).unwrap();
    let times = |options: &[&str]| -> Vec<f64> {
        let output = results(&video(&folder, &[&[path(&clip), "--json"], options].concat()), 0);
        rows(&output).iter().map(|row| number(&row["time"])).collect()
    };
    assert_eq!(times(&[]), [0.0, 0.04, 0.08]);
    assert_eq!(times(&["--fps", "10"]), [0.0, 0.1, 0.2]);
}

#[test]
fn boxes_are_drawn_into_every_frame_in_one_colour() {
    let folder = folder();
    for (name, tolerance) in [("out.y4m", 3), ("out.mjpeg", 40)] {
        let file = folder.path().join(name);
        let clip = clip(&folder);
        results(&video(&folder, &[path(&clip), "--every", "2", "--annotate", path(&file)]), 0);
        let (before, after) = (read(&clip), read(&file));
        assert_eq!(after.len(), 6);
        let mut lines = Vec::new();
        for (frame, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before.dimensions(), after.dimensions());
            // The lower left corner is far from face and label.
            let (b, a) = (before.get_pixel(5, SIDE - 5), after.get_pixel(5, SIDE - 5));
            assert!((0..3).all(|c| b[c].abs_diff(a[c]) <= tolerance), "{b:?} {a:?}");
            // Frames between two looks have the boxes of the last look. The line is somewhere near the box's left edge.
            let x = FACE[0] as u32 - FIRST[0] + STEP * (frame as u32 / 2 * 2);
            let y = (FACE[1] + FACE[3]) as u32 / 2 - FIRST[1];
            // The first face's colour has much red and no blue; chroma of 2×2 pixels may take half of that.
            let warmth =
                |image: &RgbImage, x: u32| i32::from(image.get_pixel(x, y)[0]) - i32::from(image.get_pixel(x, y)[2]);
            lines.push((x - 15..x + 15).any(|x| warmth(after, x) > warmth(before, x) + 40));
        }
        assert_eq!(lines, [true; 6], "{name}");
    }
    assert_eq!(names(&folder), ["out.mjpeg", "out.y4m"]);
}

#[test]
fn the_page_shows_each_face_over_time() {
    let folder = folder();
    let file = folder.path().join("page.html");
    results(&video(&folder, &[path(&clip(&folder)), "--page", path(&file)]), 0);
    let page = fs::read_to_string(file).unwrap();
    for part in
        ["Faces in clip.y4m", "Face 1</h2>", "<polygon", "data:image/png;base64", "Surest moments", "glad, very"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script"));
}

#[test]
fn a_video_that_is_cut_short_is_used_as_far_as_it_goes() {
    let folder = folder();
    let (cut, out, page) = (folder.path().join("cut.y4m"), folder.path().join("o.y4m"), folder.path().join("p.html"));
    let bytes = y4m(&pictures(4));
    fs::write(&cut, &bytes[..bytes.len() - 1000]).unwrap();
    let output = video(&folder, &[path(&cut), "--json", "--annotate", path(&out), "--page", path(&page)]);
    assert_eq!(frames(&results(&output, 1)), [0, 1, 2]);
    let said = text(&output.stderr);
    assert!(said.contains("cut.y4m: the video is cut short: it ends within frame 3"), "{said}");
    assert_eq!(read(&out).len(), 3);
    assert!(fs::read_to_string(page).unwrap().contains("could not be read to its end"));
}

#[test]
fn what_cannot_be_read_leaves_nothing() {
    let folder = folder();
    let (wrong, out) = (folder.path().join("wrong"), folder.path().join("out.y4m"));
    let cases: [(&[u8], &str); 4] = [
        (b"", "the video is empty"),
        (b"YUV4MPEG2 W9 H9 C420p10\n", "420p10"),
        (b"YUV4MPEG2 W9 H9\nFRAME\n", "cut short"),
        (b"YUV4MPEG2 W9 H9\n", "no frame"),
    ];
    for (bytes, reason) in cases {
        fs::write(&wrong, bytes).unwrap();
        let said = messages(&video(&folder, &[path(&wrong), "--annotate", path(&out)]), 1);
        assert!(said.contains(reason) && said.contains("vultus: "), "{said}");
        assert_eq!(names(&folder), ["wrong"]);
    }
    for missing in [folder.path().join("missing.mp4"), folder.path().to_path_buf()] {
        assert!(messages(&video(&folder, &[path(&missing)]), 1).contains(path(&missing)));
    }
    let nowhere = folder.path().join("no such folder/out.y4m");
    assert!(
        messages(&video(&folder, &[path(&clip(&folder)), "--annotate", path(&nowhere)]), 1).contains("no such folder")
    );
}

#[test]
fn bad_use_is_told_before_any_work() {
    let folder = folder();
    let clip = clip(&folder);
    let clip = path(&clip);
    let cases: [&[&str]; 13] = [
        &[],
        &[clip, clip],
        &[clip, "--json", "--csv"],
        &[clip, "--every", "0"],
        &[clip, "--from", "soon"],
        &[clip, "--to", "1:75"],
        &[clip, "--from", "2", "--to", "2"],
        &[clip, "--fps", "0"],
        &[clip, "--smoothing", "-1"],
        &[clip, "--smoothing", "nan"],
        &[clip, "--annotate", clip],
        &[clip, "--page", clip],
        &[clip, "--annotate", "without-extension"],
    ];
    for arguments in cases {
        let output = video(&folder, arguments);
        assert!(results(&output, 2).is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(names(&folder).is_empty());
    assert_eq!(read(Path::new(clip)).len(), 6);
}

#[test]
fn other_formats_without_ffmpeg_are_refused_with_advice() {
    let folder = folder();
    let (clip, other) = (clip(&folder), folder.path().join("clip.mp4"));
    fs::write(&other, b"\0\0\0\x20ftypisom, and so on").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.mp4");
    for arguments in [vec![path(&other)], vec![path(&clip), "--annotate", path(&out)]] {
        let output = command(&folder, &arguments).env("PATH", empty.path()).output().unwrap();
        let said = messages(&output, 1);
        assert!(said.contains(".mp4: ") && said.contains("ffmpeg of Debian"), "{said}");
    }
    assert_eq!(names(&folder), ["clip.mp4"]);
}

/// Puts a script in the place of ffmpeg.
#[cfg(unix)]
fn with_ffmpeg(command: &mut Command, script: &str) -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let bin = tempfile::tempdir().unwrap();
    let file = bin.path().join("ffmpeg");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let usual = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{usual}", path(bin.path())));
    bin
}

/// What comes in goes out after its first line; what is to be encoded is stored as it is.
#[cfg(unix)]
const COPY: &str = "for last; do :; done
echo \"$*\" >> \"$LOG\"
case \"$*\" in
-version) ;;
*'yuv4mpegpipe -i -'*) cat > \"${last#file:}\" ;;
*'-i pipe:0 '*) tail -n +2 ;;
*' -i file:'*) tail -n +2 \"$CLIP\" ;;
esac";

#[cfg(unix)]
#[test]
fn other_formats_go_through_ffmpeg() {
    let folder = folder();
    let (other, out, log) = (folder.path().join("a.mp4"), folder.path().join("b.mp4"), folder.path().join("log"));
    fs::write(&other, [b"a film\n".as_slice(), &y4m(&pictures(3))].concat()).unwrap();
    let mut from_file = command(&folder, &[path(&other), "--json", "--annotate", path(&out)]);
    let _bin = with_ffmpeg(from_file.env("CLIP", &other).env("LOG", &log), COPY);
    let found = results(&from_file.output().unwrap(), 0);
    assert_eq!(frames(&found), [0, 1, 2]);
    assert_eq!(read(&out).len(), 3);
    let called = fs::read_to_string(&log).unwrap();
    assert!(called.contains(&format!("-i file:{}", path(&other))) && called.contains("-pix_fmt yuv420p -"), "{called}");
    assert!(called.contains("-v error -nostdin -y -f yuv4mpegpipe -i - "), "{called}");
    // The sound comes from the file that was read.
    assert!(called.contains(&format!(" -ss 0 -i file:{} -map 0:v:0 -map 1:a? -shortest ", path(&other))), "{called}");

    let mut from_pipe = command(&folder, &["-", "--json"]);
    let _bin = with_ffmpeg(from_pipe.env("LOG", &log).stdin(fs::File::open(&other).unwrap()), COPY);
    assert_eq!(results(&from_pipe.output().unwrap(), 0), found);
    // It is stopped where no more is needed, even if it would go on for ever.
    let mut part = command(&folder, &[path(&other), "--json", "--to", "0.04"]);
    let _bin = with_ffmpeg(part.env("CLIP", &other), "tail -n +2 \"$CLIP\"; exec sleep 1000");
    assert_eq!(frames(&results(&part.output().unwrap(), 0)), [0]);
}

#[cfg(unix)]
#[test]
fn when_ffmpeg_fails_its_reason_is_told() {
    let folder = folder();
    let (clip, other, out) = (clip(&folder), folder.path().join("a.mp4"), folder.path().join("b.webm"));
    fs::write(&other, b"a film").unwrap();
    let failing = "echo 'moov atom not found' >&2; exit 1";
    let mut decoding = command(&folder, &[path(&other)]);
    let _bin = with_ffmpeg(&mut decoding, failing);
    let said = messages(&decoding.output().unwrap(), 1);
    assert!(said.contains("a.mp4: ffmpeg: moov atom not found"), "{said}");

    let mut encoding = command(&folder, &[path(&clip), "--annotate", path(&out)]);
    let _bin = with_ffmpeg(&mut encoding, failing);
    let said = messages(&encoding.output().unwrap(), 1);
    assert!(said.contains("b.webm: ffmpeg: moov atom not found"), "{said}");

    // What came before the failure is used.
    let mut breaking = command(&folder, &[path(&other), "--json"]);
    let script = "head -c 100000 \"$CLIP\"; echo 'corrupt input' >&2; exit 1";
    let _bin = with_ffmpeg(breaking.env("CLIP", &clip), script);
    let output = breaking.output().unwrap();
    assert_eq!(frames(&results(&output, 1)), [0, 1]);
    assert!(text(&output.stderr).contains("a.mp4: ffmpeg: corrupt input"), "{}", text(&output.stderr));
    assert_eq!(names(&folder), ["a.mp4"]);
}

/// The most memory that a run takes, in bytes.
#[cfg(target_os = "linux")]
fn peak(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    1024 * peak
}

#[cfg(target_os = "linux")]
#[test]
fn ten_times_the_frames_take_the_same_memory() {
    let folder = folder();
    let measure = |count: u32| {
        let clip = folder.path().join(format!("{count}.y4m"));
        let six = pictures(6);
        let large: Vec<RgbImage> =
            six.iter().map(|p| image::imageops::resize(p, 320, 320, image::imageops::FilterType::Nearest)).collect();
        let mut writer = Y4mWriter::new(Vec::new(), 320, 320, FrameRate::new(25, 1).unwrap()).unwrap();
        (0..count as usize).for_each(|frame| writer.write(&large[frame % 6]).unwrap());
        fs::write(&clip, writer.finish().unwrap()).unwrap();
        let (out, page) = (folder.path().join("out.y4m"), folder.path().join("page.html"));
        let files = ["--csv", "--annotate", path(&out), "--page", path(&page), "--min-face", "120"];
        // One thread, so that as much is computed at the same time in every run.
        let mut command = vultus();
        command.env("RAYON_NUM_THREADS", "1").args(["video", "--device", "cpu", "--model"]);
        command.arg(folder.path().join("light.safetensors")).arg(&clip).args(files);
        peak(command)
    };
    let (few, many) = (measure(30), measure(300));
    // The frames of the longer one take 92 MB as pictures, and 46 MB as they are stored.
    assert!(many < few + 4_000_000, "{few} bytes for 30 frames, {many} for 300");
}

#[test]
fn time_in_which_the_model_is_uncertain_is_told() {
    let folder = folder();
    let file = folder.path().join("light.safetensors");
    let model = safetensors::read(&file).unwrap();
    let card = ModelCard { uncertain_below: Some(1.0), ..ModelCard::from_file(&model).unwrap() };
    safetensors::write(&file, &model.parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();
    let (clip, page) = (clip(&folder), folder.path().join("page.html"));
    let table = results(&video(&folder, &[path(&clip), "--page", path(&page)]), 0);
    assert!(table.lines().nth(1).unwrap().ends_with("uncertain 100%"), "{table}");
    let found = faces(&results(&video(&folder, &[path(&clip), "--json"]), 0));
    assert!(found.len() == 6 && found.iter().all(|row| row["expression"] == "uncertain"), "{found:?}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("uncertain 100%") && !page.contains("Surest moments"));
}

#[test]
fn the_default_model_sees_the_astronaut_smile() {
    let folder = folder();
    let clip = folder.path().join("clip.y4m");
    fs::write(&clip, y4m(&pictures(4))).unwrap();
    let output = vultus().args(["video", "--device", "cpu", "--json"]).arg(clip).output().unwrap();
    let rows = faces(&results(&output, 0));
    assert!(rows.len() == 2 && rows.iter().all(|row| row["expression"] == "happy"), "{rows:?}");
}
