//! The tally: the five words with their figures, the bar, and the one sentence to read first.

use serde::Serialize;

use super::figure;
use crate::sandbox::gateway::Taken;
use crate::store::{Batch, Tally};

#[derive(Serialize)]
pub(super) struct TallyView {
    people: u32,
    words: Vec<WordView>,
    bar: Vec<Bar>,
    sms: u32,
    email: u32,
    parts: u64,
    late: u32,
    duplicates: u64,
    sentence: String,
    sentence_en: String,
}

/// One of the five words with its figure.
#[derive(Serialize)]
struct WordView {
    word: &'static str,
    nb: &'static str,
    en: &'static str,
    count: u32,
}

/// One piece of the bar, in thousandths of its length.
#[derive(Serialize)]
struct Bar {
    word: &'static str,
    from: u32,
    length: u32,
}

pub(super) fn tally_view(tally: Tally, batches: &[Batch], taken: Taken) -> TallyView {
    let word = |word, nb, en, count| WordView {
        word,
        nb,
        en,
        count,
    };
    // What somebody has released already waits for the daemon, not for a person.
    let held = batches.iter().filter(|batch| !batch.releasing);
    let held = held.map(|batch| batch.people).sum();
    let words = vec![
        word("told", "har fått beskjed", "told", tally.told),
        word("waiting", "venter", "waiting", tally.waiting),
        word(
            "must_be_phoned",
            "må ringes",
            "must be phoned",
            tally.must_be_phoned,
        ),
        word("left_out", "utelatt med rette", "left out", tally.left_out),
        word("too_late", "for sent", "too late", tally.too_late),
    ];
    TallyView {
        people: tally.people(),
        bar: bar(&words, tally.people()),
        words,
        sms: tally.sms,
        email: tally.email,
        parts: taken.parts,
        late: tally.late,
        duplicates: taken.duplicates,
        sentence: sentence(tally, held),
        sentence_en: sentence_en(tally, held),
    }
}

/// The pieces of the bar, end to end; rounding never leaves a gap or runs over.
fn bar(words: &[WordView], people: u32) -> Vec<Bar> {
    const LENGTH: u32 = 1000;
    let at = |count: u32| (u64::from(count) * u64::from(LENGTH) / u64::from(people.max(1))) as u32;
    let mut before = 0;
    let pieces = words.iter().map(|word| {
        let from = at(before);
        before += word.count;
        Bar {
            word: word.word,
            from,
            length: at(before) - from,
        }
    });
    pieces.filter(|piece| piece.length > 0).collect()
}

/// The one sentence a duty manager reads first.
fn sentence(tally: Tally, held: u32) -> String {
    let people = |n: u32| {
        if n == 1 {
            "1 person".to_owned()
        } else {
            format!("{} personer", figure(n.into()))
        }
    };
    if tally.people() == 0 {
        "Ingen timer er endret ennå.".to_owned()
    } else if held > 0 {
        format!(
            "Bremsen holder igjen {}: noen må se over og slippe dem.",
            people(held)
        )
    } else if tally.waiting > 0 {
        format!("{} venter på beskjed.", people(tally.waiting))
    } else if tally.must_be_phoned > 0 {
        format!(
            "{} må ringes. Alle andre har fått beskjed.",
            people(tally.must_be_phoned)
        )
    } else {
        "Alle har fått beskjed.".to_owned()
    }
}

fn sentence_en(tally: Tally, held: u32) -> String {
    let people = |n: u32| {
        if n == 1 {
            "1 person".to_owned()
        } else {
            format!("{} people", figure(n.into()))
        }
    };
    if tally.people() == 0 {
        "No appointment has changed yet.".to_owned()
    } else if held > 0 {
        format!(
            "The brake holds back {}: somebody must look and release them.",
            people(held)
        )
    } else if tally.waiting > 0 {
        format!("{} waiting to be told.", people(tally.waiting))
    } else if tally.must_be_phoned > 0 {
        format!(
            "{} to be phoned. Everyone else knows.",
            people(tally.must_be_phoned)
        )
    } else {
        "Everyone knows.".to_owned()
    }
}
