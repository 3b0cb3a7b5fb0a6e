//! A person reads a reference out on the telephone: is the message one of ours, and was it for them?

use crate::support::world::{Booking, World, passport, residence};

#[tokio::test(flavor = "multi_thread")]
async fn three_digits_or_a_letter_tell_whose_message_it_is() {
    let mut world = World::with(&[passport("b1"), residence("b2")]).await;
    for id in ["b1", "b2"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    let sms = world.sms.taken().remove(0).text;
    let sms = sms.rsplit(' ').next().unwrap().to_owned();
    let of_mail = world.story("b2").await.notices[0].reference.to_string();

    for (reference, ends) in [(&sms, "001"), (&of_mail, "k"), (&of_mail, "K")] {
        let said = world.verb(&["explain", reference, "--to", ends]);
        assert!(
            said.contains(&format!("{reference}  cancellation to applicant")),
            "{said}"
        );
    }
    for (reference, ends) in [
        (&sms, "002"),
        (&sms, "k"),
        (&of_mail, "o"),
        (&of_mail, "001"),
    ] {
        let (code, said) = world.verb_ends(&["explain", reference, "--to", ends]);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains("was not for that number or address"),
            "{said}"
        );
        for secret in ["4740000", "kari@", "register/"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    for (words, expected) in [
        (["explain", "b1", "--to", "001"], "is no reference"),
        (
            ["explain", &sms, "--to", "0123"],
            "give three digits, or one letter",
        ),
    ] {
        let (code, said) = world.verb_ends(&words);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(expected), "{said}");
    }
    let never = world.verb_ends(&["explain", "234678", "--to", "001"]);
    assert_eq!(never.0, 1, "{}", never.1);
}

/// A key that reads like one of our references gives way to it, and whoever asks is told so and how to ask for the booking.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_reads_like_a_reference_is_not_passed_over_in_silence() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    let reference = world.story("b1").await.notices[0].reference.to_string();
    assert!(
        !world
            .verb_ends(&["explain", &reference])
            .1
            .contains("key too")
    );
    world
        .book(&Booking {
            phone: Some("+47 400 00 009"),
            ..passport(reference.clone().leak())
        })
        .await;
    world.look().await;

    let (code, said) = world.verb_ends(&["explain", &reference]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("register/b1"), "the reference wins: {said}");
    let name = format!("register/{reference}");
    let hint = format!("\"{reference}\" is a reference, and a booking's key too.");
    assert!(
        said.contains(&hint) && said.contains(&format!("explain {name}")),
        "{said}"
    );
    let (_, of_key) = world.verb_ends(&["explain", &name]);
    assert!(
        of_key.contains(&name) && !of_key.contains("register/b1"),
        "{of_key}"
    );
    assert!(!of_key.contains("key too"), "{of_key}");
}
