//! A relay that falls silent, hangs up, puts off and refuses in every phase of a session, under the real
//! binary: nobody is lost, nobody hears twice without a mark, and whoever is refused must be phoned.

use std::collections::BTreeMap;

use crate::support::campaign::{Campaign, rounds};
use crate::support::smtp_fault::{Act, At, FaultServer, Script};

const PHASES: [At; 6] = [
    At::Greeting,
    At::Ehlo,
    At::Mail,
    At::Rcpt,
    At::Data,
    At::Dot,
];

/// What it does in each phase. What says of our account that it may not send is looked at elsewhere: it stops
/// the gateway until a person has seen to it.
const FAULTS: [Act; 7] = [
    Act::Silence,
    Act::Close,
    Act::SayAndClose("25"),
    Act::Say("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Act::SayAndClose("421 4.3.2 closing\r\n"),
    Act::Say("451-4.3.0 busy\r\n451 4.3.0 later\r\n"),
    Act::Endless,
];

/// In these phases a word is about the recipient or the mail, and not about us.
const ABOUT_THE_MAIL: [At; 3] = [At::Rcpt, At::Data, At::Dot];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_fails_in_every_phase_loses_nobody() {
    let people = rounds(80, 200);
    let mut script = Script::offering(&["PIPELINING"]);
    for at in PHASES {
        for fault in FAULTS {
            script = script.then(at, fault);
        }
    }
    for at in ABOUT_THE_MAIL {
        script = script.then(at, Act::Say("550 5.1.1 <kari@example.org> no\r\n"));
    }
    let server = FaultServer::start(script).await;
    let mut campaign = Campaign::alone(people, 1).await;
    campaign.tell_through(server.address.port()).await;
    campaign.configure(|node| {
        node.hurry(2, "4s");
        let breaker = "[gateway.mail.breaker]\nfailures = 1000000\n[[source]]";
        node.configure("[[source]]", breaker);
    });
    campaign.start_all().await;
    campaign.cancel(0..people).await;
    campaign
        .until("every fault has come and everything rests", |books| {
            let all = books.standing_as(&["accepted", "failed"]);
            server.acts_to_come() == 0 && books.in_motion() == 0 && all >= people as usize
        })
        .await;
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for address in server.seen().accepted {
        *times.entry(address).or_default() += 1;
    }
    let books = campaign.books().await;
    let (marked, listed) = (books.marked(), books.on_call_list());
    assert_eq!(
        books.unknown_ever as usize,
        marked.len(),
        "each is handed over once more"
    );
    assert!(
        listed.len() >= ABOUT_THE_MAIL.len(),
        "who was refused must be phoned"
    );
    for number in 0..people {
        let booking = format!("b{number}");
        let told = times.get(&format!("kari.{booking}@example.org"));
        let told = told.copied().unwrap_or(0);
        let booking = booking.as_str();
        assert!(told > 0 || listed.contains(booking), "{booking} is lost");
        assert!(
            told <= 1 + u32::from(marked.contains(booking)),
            "{booking}: {told}"
        );
    }
}
