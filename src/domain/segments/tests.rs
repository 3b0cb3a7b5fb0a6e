//! The count of SMS parts, against the specification's numbers and an independent counter.

use proptest::prelude::*;
use sms_splitter::SplitSms;

use super::*;

fn count(text: &str) -> (Encoding, usize, usize) {
    let size = segments(text);
    (size.encoding, size.units, size.parts)
}

#[test]
fn the_default_alphabet_and_its_extension_are_whole() {
    // TS 23.038, 6.2.1, in the order of the table, the escape left out.
    let table = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                 ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    assert_eq!(table.chars().count(), 127);
    assert_eq!(count(table), (Encoding::Gsm7, 127, 1));
    assert_eq!(count("\u{c}^{}\\[~]|€"), (Encoding::Gsm7, 20, 1));
    let known = |c| septets(c).is_some();
    let every = ('\0'..=char::MAX).filter(|c| known(*c)).count();
    assert_eq!(every, 127 + 10, "nothing else is in the alphabet");
}

#[test]
fn parts_are_counted_as_operators_bill_them() {
    use Encoding::{Gsm7, Ucs2};
    for (text, expected) in [
        (String::new(), (Gsm7, 0, 1)),
        ("å".repeat(160), (Gsm7, 160, 1)),
        ("å".repeat(161), (Gsm7, 161, 2)),
        ("å".repeat(306), (Gsm7, 306, 2)),
        ("å".repeat(307), (Gsm7, 307, 3)),
        ("€".repeat(80), (Gsm7, 160, 1)),
        // 76 euro signs fill a part but for one septet.
        ("€".repeat(81), (Gsm7, 162, 2)),
        ("€".repeat(152), (Gsm7, 304, 2)),
        ("€".repeat(153), (Gsm7, 306, 3)),
        (format!("{}€", "å".repeat(152)), (Gsm7, 154, 1)),
        (
            format!("{}€{}", "å".repeat(152), "å".repeat(152)),
            (Gsm7, 306, 3),
        ),
        ("č".repeat(70), (Ucs2, 70, 1)),
        ("č".repeat(71), (Ucs2, 71, 2)),
        ("č".repeat(134), (Ucs2, 134, 2)),
        ("č".repeat(135), (Ucs2, 135, 3)),
        ("🙂".repeat(35), (Ucs2, 70, 1)),
        ("🙂".repeat(36), (Ucs2, 72, 2)),
        ("🙂".repeat(66), (Ucs2, 132, 2)),
        ("🙂".repeat(67), (Ucs2, 134, 3)),
    ] {
        assert_eq!(count(&text), expected, "{text}");
    }
}

#[test]
fn the_characters_that_force_the_dearer_encoding_are_named() {
    let size = segments("blåbær – ça č");
    assert_eq!(size.encoding, Encoding::Ucs2);
    assert_eq!(size.forced_by, [(9, '–'), (13, 'ç'), (17, 'č')]);
    assert_eq!(segments("blåbær - ÇA €").forced_by, []);
}

#[test]
fn typography_is_folded_and_letters_are_not() {
    let written = "«Hei» – “du” … it’s\u{a0}kl.\u{2009}09\u{2011}10\u{200b}!\u{ad} • č đ ŋ ç ë Å";
    assert_eq!(
        fold_typography(written),
        "\"Hei\" - \"du\" ... it's kl. 09-10! - č đ ŋ ç ë Å"
    );
    assert_eq!(fold_typography("bla\u{30a}ba\u{200b}\u{308}r"), "blåbär");
    assert_eq!(fold_typography("a\tb\u{2028}c"), "a b\nc");
}

/// Texts near the boundaries, of characters of every cost.
fn texts() -> impl Strategy<Value = String> {
    let cheap = prop::sample::select("aåæø@ \nΔñ".chars().collect::<Vec<_>>());
    let dear = prop::sample::select("€[]^\\|{}~\u{c}".chars().collect::<Vec<_>>());
    let gsm = prop::collection::vec(prop_oneof![4 => cheap.clone(), 1 => dear.clone()], 1..500);
    let wide = prop::sample::select("č–ç🙂\u{10ffff}漢".chars().collect::<Vec<_>>());
    let any = prop::collection::vec(prop_oneof![4 => cheap, 1 => dear, 2 => wide], 1..250);
    prop_oneof![gsm, any].prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn an_independent_counter_agrees(text in texts()) {
        let other = SplitSms::default().split(text.clone());
        let size = segments(&text);
        prop_assert_eq!(size.parts, other.parts.len());
        prop_assert_eq!(size.encoding == Encoding::Gsm7, other.character_set == "GSM");
        let per_unit = if size.encoding == Encoding::Gsm7 { 1 } else { 2 };
        prop_assert_eq!(size.units * per_unit, other.bytes);
        prop_assert_eq!(size.forced_by.is_empty(), size.encoding == Encoding::Gsm7);
    }

    #[test]
    fn more_text_never_costs_less(text in texts(), more in texts()) {
        let both = text.clone() + &more;
        prop_assert!(segments(&both).parts >= segments(&text).parts);
    }

    #[test]
    fn folding_is_done_once_and_touches_no_letter(text in "\\PC{0,200}|[–—«»“”’…a-zåé\u{301}\u{200b}\t ]{0,200}") {
        let folded = fold_typography(&text);
        prop_assert_eq!(&fold_typography(&folded), &folded);
        prop_assert!(folded.chars().all(|c| plain(c).is_none() && !has_no_width(c)));
        let letters = |text: &str| -> Vec<char> {
            text.chars().filter(|c| !has_no_width(*c)).nfc().filter(|c| c.is_alphanumeric()).collect()
        };
        prop_assert_eq!(letters(&folded), letters(&text));
    }
}
