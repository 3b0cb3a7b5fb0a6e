//! What every SMS costs: the table of the reference texts, reproduced.
//!
//! *Example* is the model case in March 2021; *worst* is every placeholder at its limit.

use varsel::domain::change::ChangeKind;
use varsel::domain::directory::Directory;
use varsel::domain::language::{Language, LanguagePair};
use varsel::domain::plan::Telling;
use varsel::domain::reference::Reference;
use varsel::template::samples::samples;
use varsel::template::{SmsText, Templates, limits};

use super::desk::now;
use super::directory::model_case;

const NB: LanguagePair = LanguagePair {
    first: Language::Nb,
    second: None,
};
const NN: LanguagePair = LanguagePair {
    first: Language::Nn,
    second: None,
};
const NN_EN: LanguagePair = LanguagePair {
    first: Language::Nn,
    second: Some(Language::En),
};
const EN: LanguagePair = LanguagePair {
    first: Language::En,
    second: None,
};
const NB_EN: LanguagePair = LanguagePair {
    first: Language::Nb,
    second: Some(Language::En),
};

/// A text of the table: its name, the sample that shows it, and its septets as
/// (example, worst) for nb, nn, en, nb + en, and nn + en.
type Row = (&'static str, &'static str, [(usize, usize); 5]);

#[rustfmt::skip]
const TABLE: [Row; 22] = [
    ("S1", "passport-cancelled", [(144, 154), (144, 154), (150, 159), (275, 294), (275, 294)]),
    ("S2", "passport-cancelled-we-invite", [(152, 157), (152, 157), (156, 160), (289, 298), (289, 298)]),
    ("S3a", "id-card-cancelled", [(142, 152), (142, 152), (142, 151), (265, 284), (265, 284)]),
    ("S3b", "passport-cancelled-no-closing", [(143, 148), (143, 148), (144, 148), (268, 277), (268, 277)]),
    ("S4", "passport-cancelled-short-notice", [(131, 136), (132, 137), (148, 152), (260, 269), (261, 270)]),
    ("S5", "cancelled-by-nobody-knows", [(151, 156), (153, 158), (155, 159), (287, 296), (289, 298)]),
    ("S6", "residence-cancelled-short-notice", [(151, 156), (153, 158), (153, 157), (285, 294), (287, 296)]),
    ("S7", "residence-cancelled-without-email", [(110, 115), (112, 117), (119, 123), (210, 219), (212, 221)]),
    ("S8", "passport-moved-time", [(150, 159), (149, 158), (150, 159), (281, 299), (280, 298)]),
    ("S9", "passport-moved-office", [(149, 160), (147, 158), (151, 160), (281, 301), (279, 299)]),
    ("S10", "passport-moved-both", [(148, 157), (145, 154), (151, 160), (280, 298), (277, 295)]),
    ("S11", "protected-moved-time", [(126, 135), (125, 134), (130, 139), (237, 255), (236, 254)]),
    ("S12", "passport-reinstated", [(153, 159), (150, 156), (155, 159), (289, 299), (286, 296)]),
    ("S13", "rebooking", [(139, 143), (139, 143), (137, 141), (257, 265), (257, 265)]),
    ("S14", "correction-stands", [(154, 159), (155, 160), (156, 160), (291, 300), (292, 301)]),
    ("S15", "correction-wrong-person", [(155, 160), (155, 160), (140, 144), (276, 285), (276, 285)]),
    ("S16", "child-cancelled", [(146, 156), (146, 156), (149, 158), (276, 295), (276, 295)]),
    ("S17", "family-cancelled", [(144, 154), (144, 154), (150, 159), (275, 294), (275, 294)]),
    ("S18", "embassy-cancelled", [(148, 154), (148, 154), (151, 156), (281, 292), (281, 292)]),
    ("S19", "embassy-moved-time", [(145, 156), (144, 155), (147, 159), (274, 297), (273, 296)]),
    ("S20", "cancelled-choose-new", [(151, 160), (150, 159), (147, 155), (279, 296), (278, 295)]),
    ("S21", "residence-invitation", [(125, 125), (125, 125), (137, 137), (243, 243), (243, 243)]),
];

fn telling(sample: &str, directory: &Directory) -> Telling {
    let found = samples(directory, now())
        .into_iter()
        .find(|s| s.name == sample);
    let mut telling = found
        .unwrap_or_else(|| panic!("no sample {sample}"))
        .telling;
    if sample == "embassy-moved-time" {
        // The example of the reference texts: from Sunday 21 March to Monday 12 April.
        telling.change.old.start = "2021-03-21T08:30:00Z".parse().unwrap();
        telling.change.new.start = "2021-04-12T09:00:00Z".parse().unwrap();
    }
    if sample == "correction-wrong-person" {
        telling.cancellation_sent_at = "2021-03-24T08:20:00Z".parse().ok();
    }
    telling
}

/// The same telling at the limits, where one office stands for both.
fn at_limits(sample: &str, directory: &Directory) -> Telling {
    let (sample, kind) = match sample {
        "passport-moved-office" => ("passport-moved-time", Some((false, true))),
        "passport-moved-both" => ("passport-moved-time", Some((true, true))),
        other => (other, None),
    };
    let mut telling = telling(sample, directory);
    if let Some((time, office)) = kind {
        telling.change.kind = ChangeKind::Moved { time, office };
    }
    telling
}

#[test]
fn the_table_of_the_reference_texts_is_reproduced() {
    let templates = Templates::load(None).unwrap();
    let (example, limit) = (model_case(), limits::directory());
    let reference = Reference::draw(7);
    for (text, sample, figures) in TABLE {
        for (languages, (expected, expected_worst)) in
            [NB, NN, EN, NB_EN, NN_EN].into_iter().zip(figures)
        {
            let told = Telling {
                languages,
                ..telling(sample, &example)
            };
            let sms = templates.sms(&told, &example, reference).unwrap();
            assert_eq!(
                sms.segments.units, expected,
                "{text}, example: {}",
                sms.text
            );
            let worst = Telling {
                languages,
                ..at_limits(sample, &limit)
            };
            let worst = templates.sms_at_longest(&worst, &limit, reference).unwrap();
            assert_eq!(
                worst.segments.units, expected_worst,
                "{text}, worst: {}",
                worst.text
            );
            let parts = 1 + usize::from(languages.second.is_some());
            assert_eq!(worst.segments.parts, parts, "{text}: {}", worst.text);
            assert!(sms.segments.parts <= parts, "{text}: {}", sms.text);
            assert_plain(&worst);
        }
    }
}

/// No text needs more than the GSM alphabet.
fn assert_plain(sms: &SmsText) {
    assert!(
        sms.segments.forced_by.is_empty(),
        "{:?}",
        sms.segments.forced_by
    );
}
