//! Data sets as they lie on a disk: what is found in them.
#![cfg(feature = "train")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use vultus::data::{Dataset, Part, Votes};
use vultus::image::RgbImage;

/// A folder with these files, each a small picture of its own.
fn pictures(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, file) in files.iter().enumerate() {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = ::image::Rgb([number as u8, 0, 1]);
        let picture = RgbImage::from_fn(4, 3, |x, y| if (x, y) == (0, 0) { pixel } else { ::image::Rgb([9; 3]) });
        picture.save(&path).unwrap();
    }
    folder
}

fn refused(path: &Path) -> String {
    Dataset::open(path).unwrap_err().to_string()
}

#[test]
fn a_folder_per_class_tells_subjects_by_its_files_names() {
    let folder = pictures(&["sad/S010_004_00000017.png", "happy/S011_004_00000001.png", "happy/KA.HA1.3.tiff"]);
    fs::write(folder.path().join("happy/.hidden"), b"").unwrap();
    fs::write(folder.path().join("README.txt"), b"").unwrap();
    let set = Dataset::open(folder.path()).unwrap();
    assert_eq!(set.classes, ["happy", "sad"]);
    assert_eq!(set.names(), ["happy/KA.HA1.3.tiff", "happy/S011_004_00000001.png", "sad/S010_004_00000017.png"]);
    assert_eq!(set.labels(), [0, 0, 1]);
    let subjects: Vec<_> = set.samples.iter().map(|sample| sample.subject.as_deref()).collect();
    assert_eq!(subjects, [Some("KA"), Some("S011"), Some("S010")]);
    assert_eq!(set.subjects(), Some(3));
    assert!(set.samples.iter().all(|sample| sample.part.is_none() && sample.decode().unwrap().dimensions() == (4, 3)));
}

#[test]
fn a_folder_of_parts_tells_the_part_of_each_picture() {
    let files = ["train/happy/1.png", "train/sad/2.png", "test/happy/1.png", "test/calm/3.png", "Validation/sad/4.png"];
    let set = Dataset::open(pictures(&files).path()).unwrap();
    assert_eq!(set.classes, ["calm", "happy", "sad"]);
    let found: Vec<_> = set.samples.iter().map(|sample| (sample.name(&set.path), sample.label, sample.part)).collect();
    let named = |name: &str, label, part| (name.to_owned(), label, Some(part));
    assert_eq!(
        found,
        [
            named("test/calm/3.png", 0, Part::Test),
            named("test/happy/1.png", 1, Part::Test),
            named("train/happy/1.png", 1, Part::Train),
            named("Validation/sad/4.png", 2, Part::Validation),
            named("train/sad/2.png", 2, Part::Train),
        ]
    );
    assert_eq!(set.part(Part::Train), [2, 4]);
    // Two classes that happen to be called so are classes.
    let set = Dataset::open(pictures(&["train/1.png", "test/2.png"]).path()).unwrap();
    assert_eq!(set.classes, ["test", "train"]);
}

#[test]
fn what_is_no_class_is_left_out() {
    let files = ["train/happy/1.png", "train/sad/2.png", "test/happy/1.png", "test/sad/2.png"];
    let folder = pictures(&files);
    // What file managers, archives and network drives leave behind.
    for left in ["train/happy/Thumbs.db", "test/sad/desktop.ini", "test/.DS_Store"] {
        fs::write(folder.path().join(left), b"").unwrap();
    }
    for beside in ["__MACOSX/train/happy", "train/@eaDir", "logs"] {
        fs::create_dir_all(folder.path().join(beside)).unwrap();
    }
    fs::write(folder.path().join("logs/run.txt"), b"").unwrap();
    let set = Dataset::open(folder.path()).unwrap();
    assert_eq!((set.samples.len(), set.part(Part::Train).len(), set.classes.len()), (4, 2, 2));
    // Pictures are not left out without a word.
    fs::create_dir(folder.path().join("angry")).unwrap();
    fs::write(folder.path().join("angry/1.png"), b"").unwrap();
    assert!(refused(folder.path()).contains("angry: has pictures and lies beside"), "{}", refused(folder.path()));
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&folder.path().join("missing")).contains("missing: "));
    assert!(refused(folder.path()).contains("has no sub-folders"));
    fs::create_dir(folder.path().join("happy")).unwrap();
    assert!(refused(folder.path()).contains("the class \"happy\" has no pictures"));
    fs::write(folder.path().join("happy/a.png"), b"").unwrap();
    assert!(refused(folder.path()).contains("has pictures of one class only"));
    // Pictures deeper down would be missed without a word.
    fs::create_dir_all(folder.path().join("sad/more")).unwrap();
    assert!(refused(folder.path()).contains("more is a folder in a class's folder"));
}

#[cfg(target_os = "linux")]
#[test]
fn classes_whose_names_would_become_one_are_refused() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    for name in [b"sad\xFE", b"sad\xFF"] {
        let class = folder.path().join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        fs::write(class.join("a.png"), b"").unwrap();
    }
    assert!(refused(folder.path()).contains("must be Unicode"));
}

#[test]
fn jaffe_is_read_from_the_names_of_its_files() {
    let folder = pictures(&["KA.AN1.39.tiff", "KA.SU2.40.tiff", "YM.NE1.1.tiff"]);
    fs::write(folder.path().join("README_FIRST.txt"), b"terms").unwrap();
    let set = Dataset::open(folder.path()).unwrap();
    assert_eq!(set.classes, ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]);
    assert_eq!((set.labels(), set.subjects()), (vec![0, 6, 4], Some(2)));
    assert_eq!(set.names(), ["KA.AN1.39.tiff", "KA.SU2.40.tiff", "YM.NE1.1.tiff"]);
    for (name, said) in
        [("copy.tiff", "the name is not subject.expression.number"), ("KA.XX1.3.tiff", "\"XX\" is none of")]
    {
        fs::write(folder.path().join(name), b"").unwrap();
        assert!(refused(folder.path()).contains(said), "{}", refused(folder.path()));
        fs::remove_file(folder.path().join(name)).unwrap();
    }
}

/// Opens a list of this name and text in a folder of these pictures.
fn list(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> vultus::Result<Dataset> {
    fs::write(folder.path().join(name), text).unwrap();
    Dataset::open(&folder.path().join(name))
}

const RAF_DB: &str = "train_00001.jpg 5\r\ntest_0001.jpg 1\n\ntrain_00002.jpg 7\n";

#[test]
fn raf_db_is_found_in_its_usual_places() {
    let names = ["train_00001", "test_0001", "train_00002"];
    let places = [("", "aligned/", "_aligned"), ("", "", ""), ("EmoLabel/", "Image/aligned/", "_aligned")];
    for (list, pictures_in, ending) in places {
        let files = names.map(|name| format!("{pictures_in}{name}{ending}.jpg"));
        let folder = pictures(&files.each_ref().map(String::as_str));
        fs::create_dir_all(folder.path().join(list)).unwrap();
        let file = folder.path().join(list).join("list_patition_label.txt");
        fs::write(&file, RAF_DB).unwrap();
        for path in [folder.path(), &file] {
            let set = Dataset::open(path).unwrap();
            assert_eq!((set.classes[0].as_str(), set.classes[6].as_str()), ("surprise", "neutral"));
            assert_eq!(set.labels(), [4, 0, 6]);
            let parts: Vec<_> = set.samples.iter().map(|sample| sample.part).collect();
            assert_eq!(parts, [Some(Part::Train), Some(Part::Test), Some(Part::Train)]);
            assert_eq!(set.names(), files);
            assert!(set.samples.iter().all(|sample| sample.decode().is_ok()));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| list(&folder, "list.txt", text).unwrap_err().to_string();
    assert!(refused(RAF_DB).contains("none of the first pictures of the list is in the folder aligned"));
    assert!(refused("train_1.jpg 5\ntrain_2.jpg 8\n").contains("list.txt, line 2: the label \"8\" is not a number"));
    assert!(refused("train_1.jpg 5\ntrain_2.jpg 0\n").contains("the label \"0\""));
    assert!(refused("train_1.jpg 5\ntrain_2.jpg\n").contains("line 2: \"train_2.jpg\" is not the name of a picture"));
    assert!(refused("train_1.jpg 5\nvalid_2.jpg 3\n").contains("line 2: the name \"valid_2.jpg\" begins with neither"));
}

#[test]
fn manifests_of_all_forms_say_the_same() {
    let folder = pictures(&["img/a.png", "img/b, c.png", "S010_004_00000017.png"]);
    let csv = "path,label,subject,split,face,note\n\
        img/a.png,sad,ann,train,0 0 2 2.5,x\n\"img/b, c.png\", happy ,7,VAL,,\nS010_004_00000017.png,happy,,,,\n";
    let columns = "\u{FEFF}Label,path,x1,y1,x2,y2,Subject,split\r\n\
        sad,img/a.png,0,0,2,2.5,ann,train\r\nhappy,\"img/b, c.png\",,,,,7,val\r\nhappy,S010_004_00000017.png,,,,,,\r\n";
    let json = r#"[{"path": "img/a.png", "label": "sad", "subject": "ann", "split": "train", "face": [0, 0, 2, 2.5]},
        {"path": "img/b, c.png", "label": "happy", "subject": 7, "split": "validation", "face": null, "note": []},
        {"path": "S010_004_00000017.png", "label": "happy"}]"#;
    let lines = r#"{"path": "img/a.png", "label": "sad", "subject": "ann", "split": "train", "face": "0 0 2 2.5"}

        {"path": "img/b, c.png", "label": "happy", "subject": "7", "split": "validation"}
        {"path": "S010_004_00000017.png", "label": "happy", "subject": ""}"#;
    for (name, text) in [("a.csv", csv), ("b.csv", columns), ("c.json", json), ("d.jsonl", lines)] {
        let set = list(&folder, name, text).unwrap();
        assert_eq!(set.classes, ["happy", "sad"], "{name}");
        assert_eq!(set.names(), ["img/a.png#0,0,2,2.5", "img/b, c.png", "S010_004_00000017.png"], "{name}");
        assert_eq!(set.labels(), [1, 0, 0]);
        let subjects: Vec<_> = set.samples.iter().map(|sample| sample.subject.as_deref()).collect();
        assert_eq!(subjects, [Some("ann"), Some("7"), Some("S010")], "{name}");
        let parts: Vec<_> = set.samples.iter().map(|sample| sample.part).collect();
        assert_eq!(parts, [Some(Part::Train), Some(Part::Validation), None], "{name}");
        assert_eq!(set.samples[0].face, Some([0.0, 0.0, 2.0, 2.5]), "{name}");
        assert!(set.samples.iter().all(|sample| sample.decode().is_ok()), "{name}");
        // Written as a list it is the same again, beside the pictures and elsewhere.
        for place in [folder.path().join("written.csv"), tempfile::tempdir().unwrap().keep().join("written.csv")] {
            set.write(&place).unwrap();
            let again = Dataset::open(&place).unwrap();
            assert_eq!((&again.classes, &again.samples), (&set.classes, &set.samples), "{name}");
        }
    }
}

#[test]
fn manifests_hold_votes() {
    let folder = pictures(&["a.png", "b.png", "c.png"]);
    let csv = "path,label,votes_happy,Votes_sad,votes_contempt,votes_unknown\na.png,happy,7,2,1,\nb.png,sad,0,0,4,6\nc.png,sad,,,,\n";
    let json = r#"[{"path": "a.png", "label": "happy", "votes": {"happy": 7, "sad": 2, "contempt": 1}},
        {"path": "b.png", "label": "sad", "votes": {"contempt": 4, "unknown": 6}}, {"path": "c.png", "label": "sad"}]"#;
    for (name, text) in [("a.csv", csv), ("b.json", json)] {
        let set = list(&folder, name, text).unwrap();
        assert_eq!(set.classes, ["contempt", "happy", "sad"], "{name}");
        let votes: Vec<_> = set.samples.iter().map(|sample| sample.votes.clone()).collect();
        let wanted = [Votes::new(vec![1.0, 7.0, 2.0], 0.0).unwrap(), Votes::new(vec![4.0, 0.0, 0.0], 6.0).unwrap()];
        assert_eq!(votes, [Some(wanted[0].clone()), Some(wanted[1].clone()), None], "{name}");
        let place = folder.path().join("written.csv");
        set.write(&place).unwrap();
        assert_eq!(Dataset::open(&place).unwrap().samples, set.samples, "{name}");
        fs::remove_file(place).unwrap();
        // Without one of the classes its votes are for none.
        let fewer = set.with_classes(&["happy", "sad"].map(str::to_owned)).unwrap();
        assert_eq!(fewer.samples[0].votes, Some(Votes::new(vec![7.0, 2.0], 1.0).unwrap()));
    }
    for (text, said) in [
        ("path,label,votes_\na.png,happy,1\n", "line 1: has a column votes_ that names no class"),
        ("path,label,votes_sad,votes_sad\na.png,happy,1,2\n", "line 1: has a column votes_sad"),
        ("path,label,votes_sad\na.png,happy,many\n", "line 2: \"many\" is no number of votes"),
        (r#"{"path": "a.png", "label": "happy", "votes": {"sad": -1}}"#, "line 1: -1 is no number of votes for sad"),
    ] {
        let refused = list(&folder, "wrong.csv", text).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_folder_with_one_list_is_the_lists_data_set() {
    let folder = pictures(&["img/a.png", "img/b.png"]);
    fs::write(folder.path().join("faces.csv"), "path,label\nimg/a.png,sad\nimg/b.png,happy\n").unwrap();
    let set = Dataset::open(folder.path()).unwrap();
    assert_eq!((set.path.as_path(), set.names()), (folder.path(), vec!["img/a.png".into(), "img/b.png".into()]));
    fs::rename(folder.path().join("faces.csv"), folder.path().join("manifest.csv")).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    assert_eq!(Dataset::open(folder.path()).unwrap().names(), ["img/a.png", "img/b.png"]);
}

#[test]
fn damaged_manifests_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let header = "path,label,subject,split,face\n";
    let rows: [(&[u8], &str); 16] = [
        (b"a.png,sad,,,\nb.png\n", "line 3: has 1 fields, the header has 5"),
        (b"a.png,sad,,,,\n", "line 2: has 6 fields"),
        (b"a.png,sad,,,\nb\xFF.png,sad,,,\n", "line 3: is not UTF-8"),
        (b"a.png,,,,\n", "line 2: the label is missing"),
        (b" ,sad,,,\n", "line 2: the path is missing"),
        (b"a.png,sad,,later,\n", "line 2: the split \"later\" is none of train, validation and test"),
        (b"a.png,sad,,,1 2 3\n", "line 2: the face \"1 2 3\" is not a box of four numbers"),
        (b"a.png,sad,,,1 2 3 four\n", "the face \"1 2 3 four\""),
        (b"a.png,sad,,,5 2 5 9\n", "line 2: the face's box 5 2 5 9 is not"),
        (b"a.png,sad,,,0 0 1e99 9\n", "line 2: the face's box 0 0 inf 9"),
        (b"a.png,sad,,,0 0 NaN 9\n", "line 2: the face's box 0 0 NaN 9"),
        (b"a.png,sad,,,\n\nb.png,sad,,,\na.png,happy,,,\n", "line 5: a.png stands in line 2 already"),
        (b"a.png,sad,,,\nb.png,\"sad,,,\nc.png,sad,,,\n", "line 3: a quote is not closed in its line"),
        (b"a.png,sad,,,\nb.png,\"sad\nc.png\",,,\n", "line 3: a quote is not closed in its line"),
        (b"a.png,s\x07ad,,,\n", "line 2: the label \"s\\u{7}ad\" has a control character in it"),
        (b"a.png,sad,,,\n", "lists pictures of 1 classes"),
    ];
    for (rows, said) in rows {
        let refused = list(&folder, "list.csv", [header.as_bytes(), rows].concat()).unwrap_err().to_string();
        assert!(refused.contains("list.csv") && refused.contains(said), "{refused} for {said}");
    }
    let texts = [
        ("path,label,label\na,b,c\n", "line 1: has two columns label"),
        ("path,label,x1,y1\na,b,1,2\n", "line 1: has some of the columns x1, y1, x2, y2"),
        ("path:label\na;b\n", "line 1: begins with \"path:label\"; a list has a header"),
        ("\u{0}\u{1}\u{2}", "line 1: begins with"),
        ("", "the list is empty"),
        ("[", "line 1: the end of the list is missing"),
        ("[\n{\"path\": \"a.png\",\n \"label\": 1},\n", "line 4: the end of the list is missing"),
        ("[\n{\"path\": \"a.png\",\n \"lab", "line 3: EOF while parsing"),
        ("[{\"path\": \"a.png\", \"label\": 1}\n {\"path\"", "line 2: entry 1 is not followed by a comma"),
        ("[ ]", "lists pictures of 0 classes"),
        ("[{\"path\": \"a.png\", \"label\": \"sad\"},\n{\"path\": \"a.png\"}]", "line 2: missing field `label`"),
        (
            "[{\"path\": \"a.png\", \"label\": \"sad\"},\n\n{\"path\": \"a.png\", \"label\": \"sad\"}\n]",
            "line 3: entry 2: a.png stands in entry 1 already",
        ),
        ("[{\"path\": \"a.png\", \"label\": 1.5}]", "line 1: a name must be a text or a whole number"),
        ("[{\"path\": \"a.png\", \"label\": 1, \"face\": [1, 2, 3]}]", "line 1: a face must be a list of four numbers"),
        ("[{\"path\": \"a.png\", \"label\": 1, \"face\": [0, 0, 1e99, 3]}]", "line 1: "),
        (
            "[{\"path\": \"a.png\", \"label\": 1}, {\"path\": \"b.png\", \"label\": 2}] more",
            "line 1: there is more behind the end of the list",
        ),
        ("{\"path\": \"a.png\", \"label\": 1}\n{\"path\": \"b.png\"\n", "line 2: EOF while parsing"),
        ("{\"path\": \"a.png\", \"label\": 1}\nnonsense\n", "line 2: expected"),
    ];
    for (text, said) in texts {
        let refused = list(&folder, "list.csv", text).unwrap_err().to_string();
        assert!(refused.contains("list.csv") && refused.contains(said), "{refused} for {said}");
    }
}

#[test]
fn long_lists_are_read_at_once_and_their_pictures_are_not_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "path,label,subject,split\n".to_owned();
    for number in 0..100_000 {
        text += &format!("faces/{number}.png,class{},person{},train\n", number % 7, number % 500);
    }
    let start = std::time::Instant::now();
    let set = list(&folder, "list.csv", text).unwrap();
    assert_eq!((set.samples.len(), set.classes.len(), set.subjects()), (100_000, 7, Some(500)));
    // Measured: 0.1 s. Anything that grows with the square of the lines takes minutes.
    assert!(start.elapsed().as_secs() < 10);
    let [first, second] = [&set.samples[0], &set.samples[500]].map(|sample| sample.subject.clone().unwrap());
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert!(set.samples[0].decode().unwrap_err().to_string().contains("faces/0.png: "));
}

#[test]
fn lists_with_the_usual_names_and_separators_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = list(&folder, "plain.csv", "path,label,split\na/1.png,happy,train\na/2.png,sad,test\n").unwrap();
    let alike = [
        "filename,emotion,usage\na/1.png,happy,Training\na/2.png,sad,PrivateTest\n",
        "Image;Class;Subset\na/1.png;happy;train\n\"a/2.png\";sad;test\n",
        "file\texpression\tpart\na/1.png\thappy\ttrain\na/2.png\tsad\ttest\n",
        "path,label,split\na\\1.png,happy,train\na\\2.png,sad,test\n",
        "face_x,subDirectory_filePath,expression,split\n3,a/1.png,happy,train\n4,a/2.png,sad,test\n",
    ];
    for text in alike {
        let found = list(&folder, "other.csv", text).unwrap();
        assert_eq!((&found.classes, found.names()), (&wanted.classes, wanted.names()), "{text}");
        let parts = |data: &Dataset| data.samples.iter().map(|sample| sample.part).collect::<Vec<_>>();
        assert_eq!(parts(&found), parts(&wanted), "{text}");
    }
    // Two columns that could be the path: ours is.
    let both = list(&folder, "both.csv", "image,path,label\nx,a/1.png,happy\ny,a/2.png,sad\n").unwrap();
    assert_eq!(both.names(), wanted.names());
}

#[test]
fn data_sets_that_are_not_read_as_they_are_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n\
                 Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\n";
    let error = list(&folder, "fer2013new.csv", votes).unwrap_err().to_string();
    assert!(error.contains("has no pictures") && error.contains("--votes"), "{error}");
    let affectnet = pictures(&["train_set/images/0.jpg", "val_set/images/1.jpg"]);
    for set in ["train_set", "val_set"] {
        fs::create_dir(affectnet.path().join(set).join("annotations")).unwrap();
    }
    for path in [affectnet.path().to_path_buf(), affectnet.path().join("train_set")] {
        assert!(refused(&path).contains("AffectNet"), "{}", refused(&path));
    }
}

#[test]
fn raf_db_of_kaggle_lies_in_folders_of_its_classes() {
    let files = ["train/1/train_00001_aligned.jpg", "train/4/train_00002_aligned.jpg", "test/4/test_0001_aligned.jpg"];
    for root in ["", "DATASET/"] {
        let folder = pictures(&files.map(|file| format!("{root}{file}")).each_ref().map(String::as_str));
        let text = "image,label\ntrain_00001_aligned.jpg,1\ntrain_00002_aligned.jpg,4\n";
        let data = list(&folder, "train_labels.csv", text).unwrap();
        assert_eq!(data.names(), files[..2].iter().map(|file| format!("{root}{file}")).collect::<Vec<_>>());
        assert!(data.samples.iter().all(|sample| sample.part == Some(Part::Train) && sample.file().is_file()));
    }
    // What is not there stays where the list says that it is.
    let folder = tempfile::tempdir().unwrap();
    let data = list(&folder, "train_labels.csv", "image,label\ntrain_1.jpg,1\ntrain_2.jpg,4\n").unwrap();
    assert_eq!(data.names(), ["train_1.jpg", "train_2.jpg"]);
}
