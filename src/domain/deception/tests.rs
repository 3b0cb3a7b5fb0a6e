//! What deceives, and what only looks odd: examples of both.

use super::*;

#[test]
fn letters_of_other_alphabets_are_found_where_they_stand() {
    let text = "P\u{43e}litiet";
    let found = deceptive(text).unwrap();
    assert_eq!((found.offset, found.character), (1, '\u{43e}'));
    assert!(found.to_string().contains("U+043E"), "{found}");
    for odd in [
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{7}b",
        "\u{ff21}",
        "\u{1d400}",
    ] {
        assert!(deceptive(odd).is_some(), "{odd:?}");
    }
}

#[test]
fn our_own_letters_deceive_nobody() {
    for text in [
        "Grønland passkontor, Ås",
        "Guovdageaidnu: čáhci, đ, ŋ, š, ŧ, ž",
        "- «nytt» – 50 % … é",
        "En\nto",
    ] {
        assert_eq!(deceptive(text), None, "{text:?}");
    }
}

#[test]
fn links_are_known_by_their_looks() {
    for link in [
        "politiet.no",
        "https://varsel.example/x",
        "www.politiet",
        "(politiet.no).",
        "POLITIET.NO/time",
        "bit.ly/3x",
        "varsel.agency:80",
        "pass.shop",
    ] {
        assert!(looks_like_a_link(link), "{link}");
    }
    for word in [
        "09.20",
        "kl.",
        "24.",
        "St.Hanshaugen",
        "f.eks",
        "bl.a.",
        "t.o.m",
        "ref.",
        "time.Møt",
        "8.-9.",
    ] {
        assert!(!looks_like_a_link(word), "{word}");
    }
}

#[test]
fn senders_that_operators_refuse_are_named() {
    assert_eq!(sender_id("Politiet"), Ok(()));
    assert_eq!(sender_id("UDI 2021"), Ok(()));
    for (name, why) in [
        ("Politidistrikt", "longer than 11"),
        ("Skånland", "has \"å\""),
        ("Politi.no", "has \".\""),
        ("02800", "no letter"),
        ("P\u{43e}litiet", "has \"\u{43e}\""),
        ("", "no letter"),
    ] {
        assert!(sender_id(name).unwrap_err().contains(why), "{name}");
    }
}
