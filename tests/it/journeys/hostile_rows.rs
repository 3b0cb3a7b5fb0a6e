//! Rows that somebody typed with bad intent or by accident: each is refused for itself, in words, and
//! its neighbour is told as if it were not there.

use crate::support::world::{Booking, World, passport};

/// What has been found in columns for telephones and addresses, or could be.
const TYPED: [&str; 12] = [
    "40 00 00 01\r\nBcc: everybody@example.com",
    "ola@example.com\r\nBcc: everybody@example.com",
    "\"ola\\\" <x>\"@example.com",
    "ola@example.com, everybody@example.com",
    "ola@[127.0.0.1]",
    "\u{202e}moc.elpmaxe@alo",
    "{{ phone }}{% for a in b %}",
    "<script>alert(1)</script>@example.com",
    "'; DROP TABLE notice; --",
    "=HYPERLINK(\"http://evil.example\")",
    "+47 40 00 00 01;ext=1%0d%0a",
    "\u{0}\u{7}\u{1b}[31m",
];

#[tokio::test]
async fn whatever_is_typed_for_a_number_or_address_the_neighbour_is_told_and_nobody_else() {
    for typed in TYPED {
        // A zero octet ends a text in some systems; SQLite keeps what comes before.
        let odd = Booking {
            phone: Some(typed),
            email: Some(typed),
            ..passport("b2")
        };
        let mut world = World::with(&[odd, passport("b1")]).await;
        for id in ["b1", "b2"] {
            world.set(id, "status", "cancelled").await;
        }
        world.look().await;
        world.send().await;
        let neighbours = world.sms.taken();
        let neighbours = neighbours.iter().filter(|sms| sms.to == "+4740000001");
        assert!(neighbours.count() >= 1, "{typed:?}: the neighbour is told");
        for sms in world.sms.taken() {
            let digits = sms.to.strip_prefix('+').unwrap();
            assert!(digits.chars().all(|c| c.is_ascii_digit()), "{typed:?}");
            assert!(!sms.text.contains("evil") && !sms.text.contains("DROP"));
        }
        for mail in world.mail.taken() {
            let to = format!("{:?}", mail.to);
            assert!(!to.contains("everybody"), "{typed:?}: {to}");
        }
        let word = world.word("b2").await;
        assert!(
            ["told", "must_be_phoned"].contains(&word),
            "{typed:?}: {word}"
        );
    }
}
