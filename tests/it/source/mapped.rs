//! What a source says of its own mapping: whatever gives its rows their meaning makes it another one.

use std::collections::BTreeSet;
use std::sync::Arc;

use varsel::domain::directory::Directory;
use varsel::domain::language::Language;
use varsel::source::sql::{Place, Settings, SqlSource};
use varsel::source::{Meaning, Source, StartFormat};

use super::register::{ONE, Register, directory};

async fn mapping(settings: &Settings, directory: &Arc<Directory>) -> String {
    let source = SqlSource::open(settings.clone(), Arc::clone(directory)).await;
    source.unwrap().mapping().unwrap()
}

/// The directory with one office in another zone.
fn corrected() -> Arc<Directory> {
    let mut directory = Directory::clone(&directory());
    let office = directory.offices.get_mut(&"algiers".into()).unwrap();
    office.zone = chrono_tz::Europe::Paris;
    Arc::new(directory)
}

#[tokio::test]
async fn whatever_gives_rows_their_meaning_makes_another_mapping() {
    let mut register = Register::with(&[ONE]).await;
    let copy = register.folder.path().join("copy.db");
    register
        .run(&format!("VACUUM INTO '{}'", copy.display()))
        .await;
    let otherwise: [fn(&mut Settings); 9] = [
        |_| {},
        |settings| settings.query += " WHERE 1",
        |settings| settings.words.start = StartFormat::Utc,
        |settings| settings.words.naive_zone = Some(chrono_tz::Europe::London),
        |settings| settings.words.region = "DZ".to_owned(),
        |settings| {
            settings
                .words
                .status
                .insert("Booked".to_owned(), Meaning::Cancelled);
        },
        |settings| {
            settings
                .words
                .languages
                .insert("english".to_owned(), Language::Nn);
        },
        |settings| settings.words.services.clear(),
        |settings| {
            settings
                .words
                .offices
                .insert("Grønland".to_owned(), "algiers".into());
        },
    ];
    let mut seen = BTreeSet::new();
    for change in otherwise {
        let mut settings = register.settings();
        change(&mut settings);
        assert!(seen.insert(mapping(&settings, &directory()).await));
    }
    let elsewhere = Settings {
        place: Place::Sqlite(copy),
        ..register.settings()
    };
    assert!(seen.insert(mapping(&elsewhere, &directory()).await));
    assert!(seen.insert(mapping(&register.settings(), &corrected()).await));
}

/// An office's zone says nothing of times that have one already.
#[tokio::test]
async fn an_offices_zone_counts_only_where_times_have_none() {
    let register = Register::with(&[ONE]).await;
    let zoned = register.settings_with(|words| words.naive_zone = Some(chrono_tz::Europe::Oslo));
    let same = mapping(&zoned, &directory()).await;
    assert_eq!(mapping(&zoned, &corrected()).await, same);
}
