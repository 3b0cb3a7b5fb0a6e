//! What follows about the same appointment stands in one thread: a later mail names the earlier ones by
//! their Message-IDs, over real SMTP.

use crate::support::mailbox::Mail;
use crate::support::world::{World, residence};

async fn told(world: &mut World) {
    world.look().await;
    world.send().await;
}

fn id(mail: &Mail) -> String {
    mail.header("Message-ID").unwrap()
}

#[tokio::test]
async fn a_follow_up_names_every_mail_before_it() {
    let mut world = World::with(&[residence("b1"), residence("b2")]).await;
    world.set("b1", "status", "cancelled").await;
    world.set("b2", "status", "cancelled").await;
    told(&mut world).await;
    world.set("b1", "status", "booked").await;
    told(&mut world).await;
    world.set("b1", "start", "2021-03-26 11:00").await;
    told(&mut world).await;

    let mails = world.mail.taken();
    let [first, other, second, third] = mails.as_slice() else {
        panic!("{} mails", mails.len())
    };
    for mail in [first, other] {
        assert_eq!(mail.header("In-Reply-To"), None);
        assert_eq!(mail.header("References"), None);
    }
    // Either of the first two may be the one of b1; the follow-ups are all of it.
    let about_b1: Vec<String> = world
        .story("b1")
        .await
        .notices
        .iter()
        .map(|n| n.reference.to_string())
        .collect();
    let is_b1 = |mail: &&&Mail| {
        about_b1
            .iter()
            .any(|reference| mail.text().contains(reference))
    };
    let begun = id([first, other].iter().find(is_b1).unwrap());
    assert_eq!(second.header("In-Reply-To").unwrap(), begun);
    assert_eq!(second.header("References").unwrap(), begun);
    assert_eq!(third.header("In-Reply-To").unwrap(), id(second));
    let both = format!("{begun} {}", id(second));
    assert_eq!(third.header("References").unwrap(), both);
}

/// Whoever never got the earlier mail has nothing to be pointed to.
#[tokio::test]
async fn a_mail_that_certainly_never_left_is_not_named() {
    let mut world = World::with(&[residence("b1")]).await;
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let relay = world.mail.address;
    world.send_mail_through(nowhere);
    world.set("b1", "status", "cancelled").await;
    told(&mut world).await;
    world.send_mail_through(relay);
    world.set("b1", "start", "2021-03-26 11:00").await;
    world.set("b1", "status", "booked").await;
    told(&mut world).await;
    let mails = world.mail.taken();
    assert_eq!(mails.len(), 1, "only the move");
    assert_eq!(mails[0].header("In-Reply-To"), None);
}
