//! CSV files in a drop folder: which are taken, what they say, and what they never say.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use varsel::domain::appointment::Standing;
use varsel::source::{AnySource, Look, Snapshot, Source, SourceError};

use super::register::{directory, faults, floor, key};
use crate::support::house::parse_in;

const HEADER: &str = "booking;status;start;office;service;phone;email;language\n";

/// A drop folder with what its `[source.csv]` says beside the shipped mapping.
struct Drop {
    folder: tempfile::TempDir,
}

impl Drop {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        // As a writer should: the name is there when the file is whole.
        let hidden = self.folder.path().join(format!(".{name}"));
        std::fs::write(&hidden, bytes).unwrap();
        std::fs::rename(hidden, self.folder.path().join(name)).unwrap();
    }

    fn rows(&self, name: &str, rows: &[&str]) {
        self.file(name, format!("{HEADER}{}\n", rows.join("\n")).as_bytes());
    }

    async fn open(&self, csv: &str) -> Result<AnySource, SourceError> {
        let text = format!(
            "[[source]]\nname = \"drop\"\nprofile = \"csv\"\npath = \".\"\nservices = {{ Pass = \"passport\" }}\n[source.csv]\n{csv}"
        );
        let config = parse_in(self.folder.path(), &text).unwrap();
        let settings = config.source_settings().next().unwrap().unwrap();
        AnySource::open(settings, directory()).await
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

async fn snapshot(source: &mut AnySource) -> Snapshot {
    match source.snapshot(floor()).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("the folder says that nothing changed"),
    }
}

fn keys(snapshot: &Snapshot) -> BTreeSet<String> {
    snapshot.rows.iter().map(|row| row.key.0.clone()).collect()
}

const ONE: &str = "B1;booked;2021-03-24 09:20;gronland;Pass;40 00 00 00;kari@example.com;nb";
const TWO: &str = "B2;booked;2021-03-25 09:20;algiers;passport;;\"ola@example.com\";en";

#[tokio::test]
async fn the_newest_whole_file_is_the_snapshot_and_the_same_file_is_no_news() {
    let drop = Drop::new();
    let said = drop.open("").await.err().unwrap().to_string();
    assert!(said.contains("there is no whole file \"*.csv\""), "{said}");
    drop.rows("2021-03-15.csv", &[ONE]);
    drop.rows("2021-03-16.csv", &[ONE, TWO]);
    std::fs::write(drop.path().join(".2021-03-17.csv"), "half").unwrap();
    std::fs::write(drop.path().join("2021-03-17.csv.tmp"), "half").unwrap();
    let mut source = drop.open("").await.unwrap();
    let first = snapshot(&mut source).await;
    assert_eq!(keys(&first), ["B1", "B2"].map(str::to_owned).into());
    assert!(!first.partial);
    assert_eq!(faults(&first), Vec::<String>::new());
    assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
    // What was not recorded is read again.
    source.forget();
    assert_eq!(snapshot(&mut source).await, first);
    drop.rows("2021-03-17.csv", &[&TWO.replace("booked", "cancelled")]);
    let next = snapshot(&mut source).await;
    assert_eq!(next.rows[0].state.standing, Standing::Cancelled);
    let found = source.look_up(&[key("B1"), key("B2")]).await.unwrap();
    assert_eq!(keys(&found), ["B2".to_owned()].into());
}

#[tokio::test]
async fn each_encoding_and_separator_reads_the_same_rows() {
    let utf8 =
        "booking,status,start,office,service\nø1,booked,2021-03-24 09:20,gronland,passport\n";
    let latin1: Vec<u8> = utf8.chars().map(|c| c as u8).collect();
    let marked = [&[0xef, 0xbb, 0xbf], utf8.as_bytes()].concat();
    let comma = "separator = \",\"\n";
    for (encoding, bytes) in [
        ("utf-8", utf8.as_bytes()),
        ("utf-8", &marked),
        ("latin1", &latin1),
        ("windows-1252", &latin1),
    ] {
        let drop = Drop::new();
        drop.file("a.csv", bytes);
        let csv = format!("encoding = \"{encoding}\"\n{comma}");
        let mut source = drop.open(&csv).await.unwrap();
        let read = snapshot(&mut source).await;
        assert_eq!(keys(&read), ["ø1".to_owned()].into(), "{encoding}");
    }
    let drop = Drop::new();
    drop.file("a.csv", &marked);
    let csv = format!("encoding = \"latin1\"\n{comma}");
    let mut source = drop.open(&csv).await.unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("the mark of UTF-8"), "{said}");
    // A text that is none in the declared encoding is a fault of its row.
    let drop = Drop::new();
    drop.file("a.csv", &latin1);
    let mut source = drop.open(comma).await.unwrap();
    assert!(source.snapshot(floor()).await.is_ok_and(|look| match look {
        Look::Snapshot(read) => read.rows.is_empty() && read.partial,
        Look::Unchanged => false,
    }));
}

#[tokio::test]
async fn a_half_written_file_changes_nobodys_state() {
    let drop = Drop::new();
    drop.rows("1.csv", &[ONE, TWO]);
    let mut source = drop.open("").await.unwrap();
    snapshot(&mut source).await;
    let whole = format!("{HEADER}{ONE}\n{TWO}\n");
    // Cut inside of its last row, and cut to nothing.
    for (length, expected) in [(whole.len() - 9, "half-written"), (0, "is empty")] {
        drop.file("2.csv", &whole.as_bytes()[..length]);
        let error = source.snapshot(floor()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    // Cut inside of a quoted value that holds line breaks, at one of them.
    drop.file("2.csv", format!("{HEADER}{ONE}\nB2;\"booked\n").as_bytes());
    let read = snapshot(&mut source).await;
    assert!(read.partial, "what it lacks would count as gone");
    assert_eq!(faults(&read).len(), 1);
}

#[tokio::test]
async fn with_a_checksum_only_a_file_that_has_it_is_whole() {
    let drop = Drop::new();
    let whole = format!("{HEADER}{ONE}\n");
    let sum: String = Sha256::digest(whole.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    drop.file("1.csv", whole.as_bytes());
    let csv = "whole = \"checksum\"";
    assert!(drop.open(csv).await.is_err(), "it has no companion yet");
    drop.file("1.csv.sha256", format!("{sum}  1.csv\n").as_bytes());
    let mut source = drop.open(csv).await.unwrap();
    assert_eq!(keys(&snapshot(&mut source).await), ["B1".to_owned()].into());
    drop.rows("2.csv", &[TWO]);
    assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
    drop.file("2.csv.sha256", format!("{sum}  2.csv\n").as_bytes());
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("another checksum"), "{said}");
}

#[tokio::test]
async fn every_bad_row_is_named_with_its_line_and_nothing_personal() {
    let drop = Drop::new();
    drop.rows(
        "1.csv",
        &[
            ONE,
            "B3;avlyst;2021-03-24 09:20;gronland;passport;;;nb",
            "B4;booked;tomorrow;gronland;passport;40 00 00 01;;nb",
            ";booked;2021-03-24 09:20;gronland;passport;40 00 00 02;;nb",
            "B5;booked;2021-03-24 09:20;Oslo; Grønland;passport;40 00 00 03;;nb",
            TWO,
        ],
    );
    let mut source = drop.open("").await.unwrap();
    let read = snapshot(&mut source).await;
    assert_eq!(keys(&read), ["B1", "B2"].map(str::to_owned).into());
    assert_eq!(read.unreadable, [key("B3"), key("B4")].into());
    assert!(read.partial);
    let said = faults(&read);
    let expected = [
        "row B3, column status: 1.csv line 3: \"avlyst\" is not mapped",
        "row B4, column start: 1.csv line 4: it is not a start",
        "row (no key), column id: 1.csv line 5: there is no id",
        "row (no key), column (row): 1.csv line 6: 9 fields where the header has 8",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains("40 00"), "{said}");
    }
    drop.rows("2.csv", &[ONE, ONE]);
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("id B1 comes twice"), "{said}");
}

#[tokio::test]
async fn deltas_are_read_in_order_and_what_they_do_not_name_stands() {
    let drop = Drop::new();
    let csv = "scope = \"delta\"\ndone = \"done\"";
    let mut source = drop.open(csv).await.unwrap();
    drop.rows("1.csv", &[ONE, TWO]);
    drop.rows("2.csv", &[&ONE.replace("09:20", "11:00")]);
    let first = snapshot(&mut source).await;
    assert!(first.partial);
    assert_eq!(
        first.rows[0].state.start.to_rfc3339(),
        "2021-03-24T10:00:00+00:00"
    );
    // Not recorded: they are still there, and are read again.
    source.forget();
    assert_eq!(snapshot(&mut source).await, first);
    assert!(drop.path().join("2.csv").exists());
    // Recorded: they are put away.
    assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
    assert!(drop.path().join("done/1.csv").exists());
    assert!(!drop.path().join("2.csv").exists());
    drop.rows("3.csv", &[&TWO.replace("booked", "cancelled")]);
    let third = snapshot(&mut source).await;
    assert_eq!(keys(&third), ["B2".to_owned()].into());
    assert_eq!(third.rows[0].state.standing, Standing::Cancelled);
}

/// Many exports have one name for ever. What was put away is not taken for what came since.
#[tokio::test]
async fn a_new_file_under_the_name_of_the_last_one_is_news() {
    let drop = Drop::new();
    let csv = "files = \"all.csv\"\ndone = \"done\"";
    drop.rows("all.csv", &[ONE]);
    let mut source = drop.open(csv).await.unwrap();
    for (row, id) in [(ONE, "B1"), (TWO, "B2"), (ONE, "B1")] {
        drop.rows("all.csv", &[row]);
        assert_eq!(keys(&snapshot(&mut source).await), [id.to_owned()].into());
        assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
        assert!(!drop.path().join("all.csv").exists(), "it was put away");
        assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
    }
}

#[tokio::test]
async fn an_export_that_has_stopped_is_no_calm() {
    let drop = Drop::new();
    drop.rows("1.csv", &[ONE]);
    let old = std::fs::File::open(drop.path().join("1.csv")).unwrap();
    let mut source = drop.open("oldest = \"26h\"").await.unwrap();
    snapshot(&mut source).await;
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    old.set_modified(long_ago).unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("has the export stopped?"), "{said}");
}
