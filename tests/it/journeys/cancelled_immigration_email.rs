//! A cancelled immigration appointment becomes one e-mail, with text and HTML in both languages.

use crate::support::world::{World, residence};

#[tokio::test]
async fn a_cancelled_citizenship_row_becomes_one_email_and_no_sms() {
    let mut booking = residence("b1");
    booking.service = "citizenship";
    let mut world = World::with(&[booking]).await;
    world.close_oslo().await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;

    assert!(world.sms.taken().is_empty());
    let mails = world.mail.taken();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.to, "kari@example.org");
    assert!(
        mail.subject()
            .starts_with("Cancelled: your appointment 24 March / Avlyst:"),
        "{}",
        mail.subject()
    );
    for part in [mail.text(), mail.html()] {
        assert!(part.contains("Wednesday 24 March at 09:20"), "{part}");
        assert!(part.contains("onsdag 24. mars kl. 09.20"), "{part}");
        assert!(
            part.contains("You therefore need a new appointment."),
            "{part}"
        );
        assert!(
            !part.contains("22 34 21 00"),
            "never the line for digital applications: {part}"
        );
    }
    assert_eq!(world.word("b1").await, "told");
}
