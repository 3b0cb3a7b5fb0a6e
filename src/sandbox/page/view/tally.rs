//! The tally: the five words with their figures, the bar, and the one sentence to read first.

use serde::Serialize;

use super::{figure, kroner, kroner_en};
use crate::sandbox::feed::Said;
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
    cost: String,
    cost_en: String,
    price: String,
    price_en: String,
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

pub(super) fn tally_view(
    tally: Tally,
    batches: &[Batch],
    taken: Taken,
    part_price_ore: u32,
) -> TallyView {
    let cost = taken.parts * u64::from(part_price_ore);
    let word = |word, nb, en, count| WordView {
        word,
        nb,
        en,
        count,
    };
    // What somebody has released already waits for the daemon, not for a person.
    let held = batches.iter().filter(|batch| !batch.releasing);
    let held = held.map(|batch| batch.people).sum();
    let sentence = sentence(tally, held);
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
        cost: kroner(cost),
        cost_en: kroner_en(cost),
        price: kroner(part_price_ore.into()),
        price_en: kroner_en(part_price_ore.into()),
        late: tally.late,
        duplicates: taken.duplicates,
        sentence: sentence.nb,
        sentence_en: sentence.en,
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

/// The one sentence a duty manager reads first: what needs a person most.
fn sentence(tally: Tally, held: u32) -> Said {
    let said = |count, nb: &str, en: &str| {
        Said::new(
            format!("{} {nb}", people_nb(count)),
            format!("{} {en}", people_en(count)),
        )
    };
    if tally.people() == 0 {
        Said::new(
            "Ingen timer er endret ennå.",
            "No appointment has changed yet.",
        )
    } else if tally.too_late > 0 {
        said(
            tally.too_late,
            "fikk ikke beskjed i tide.",
            "not told in time.",
        )
    } else if held > 0 {
        said(
            held,
            "er holdt igjen av bremsen: noen må se over og slippe dem.",
            "held back by the brake: somebody must look and release them.",
        )
    } else if tally.waiting > 0 {
        said(tally.waiting, "venter på beskjed.", "waiting to be told.")
    } else if tally.must_be_phoned > 0 {
        said(
            tally.must_be_phoned,
            "må ringes. Alle andre som skal ha beskjed, har fått det.",
            "to be phoned. Everyone else who should know, knows.",
        )
    } else {
        Said::new(
            "Alle som skal ha beskjed, har fått det.",
            "Everyone who should know, knows.",
        )
    }
}

/// So many people, in Norwegian.
pub(super) fn people_nb(count: u32) -> String {
    let noun = if count == 1 { "person" } else { "personer" };
    format!("{} {noun}", figure(count.into()))
}

/// So many people, in English.
pub(super) fn people_en(count: u32) -> String {
    let noun = if count == 1 { "person" } else { "people" };
    format!("{} {noun}", figure(count.into()))
}
