//! From a file that is dropped into a folder to the phones: who is told, and that a damaged file
//! tells nobody anything.

use chrono::TimeDelta;

use crate::support::house::parse_in;
use crate::support::world::World;

const HEADER: &str = "booking;status;start;office;service;phone;email;language";

struct Dropped {
    world: World,
    folder: tempfile::TempDir,
}

impl Dropped {
    async fn with(scope: &str, rows: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::with(&[]).await;
        let mut dropped = Self { world, folder };
        dropped.file("00.csv", rows);
        let text = format!(
            "[[source]]\nname = \"drop\"\nprofile = \"csv\"\npath = \".\"\n\
             [source.csv]\nscope = \"{scope}\"\ndone = \"done\"\n"
        );
        let config = parse_in(dropped.folder.path(), &text).unwrap();
        let settings = config.source_settings().next().unwrap().unwrap();
        dropped.world.watch(settings).await;
        dropped
    }

    fn file(&mut self, name: &str, rows: &[String]) {
        let hidden = self.folder.path().join(format!(".{name}"));
        std::fs::write(&hidden, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
        std::fs::rename(hidden, self.folder.path().join(name)).unwrap();
    }

    /// Looks as often as it takes for a missing row to count, and hands everything over.
    async fn pass(&mut self) -> Vec<String> {
        for _ in 0..3 {
            self.world.now += TimeDelta::seconds(30);
            self.world.look().await;
        }
        self.world.send().await;
        let first_word = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
        let taken = self.world.sms.taken();
        let mut told: Vec<String> = taken
            .iter()
            .map(|sms| format!("{} {}", &sms.to[9..], first_word(&sms.text)))
            .collect();
        told.sort();
        told
    }
}

/// Booking `n`, with a number of its own.
fn row(n: u32) -> String {
    format!(
        "B{n};booked;2021-03-24 {:02}:20;gronland;passport;40 00 00 {n:02};;nb",
        8 + n
    )
}

#[tokio::test]
async fn what_a_full_file_lacks_is_gone_unless_the_file_is_damaged() {
    let rows: Vec<String> = (1..=6).map(row).collect();
    let mut dropped = Dropped::with("full", &rows).await;
    // A separator too many in one row: which booking it was, and what else is missing, nobody knows.
    let shifted = row(3).replace("gronland", "Oslo; gronland");
    dropped.file("01.csv", &[row(1), shifted, row(4), row(5), row(6)]);
    assert_eq!(dropped.pass().await, Vec::<String>::new());
    dropped.file(
        "02.csv",
        &[
            row(1),
            row(4),
            row(5),
            row(6).replace("booked", "cancelled"),
        ],
    );
    let told = ["02 Avlyst", "03 Avlyst", "06 Avlyst"].map(str::to_owned);
    assert_eq!(dropped.pass().await, told);
    assert_eq!(dropped.pass().await, told, "and nobody twice");
    assert!(dropped.folder.path().join("done/02.csv").exists());
}

#[tokio::test]
async fn what_a_delta_does_not_name_stands() {
    let rows: Vec<String> = (1..=6).map(row).collect();
    let mut dropped = Dropped::with("delta", &rows).await;
    dropped.file("01.csv", &[row(2).replace("booked", "cancelled")]);
    dropped.file("02.csv", &[row(3).replace("03-24", "03-25")]);
    let told = ["02 Avlyst", "03 Flyttet"].map(str::to_owned);
    assert_eq!(dropped.pass().await, told);
    dropped.world.restart().await;
    assert_eq!(dropped.pass().await, told, "and nobody twice");
}
