//! Two nodes and their database, and links between them that lose replies, fall silent, forget, cut,
//! refuse or are slow, for a while and again and again: nobody is lost, nothing is sent by guess, and
//! no node needs a restart.

use std::time::Duration;

use rand::RngExt;

use crate::support::campaign::{Campaign, drift, rounds};
use crate::support::daemon::Daemon;
use crate::support::gateway::Behaviour;
use crate::support::link::{Fault, Link};
use crate::support::postgres::database;

const PEOPLE: u32 = 300;
const CHANGES: u32 = 40;
/// So long the gateway takes to answer, so that there is always something in the air.
const ANSWER: Duration = Duration::from_millis(300);
/// A link fails for at most so long: longer than a lease.
const LONGEST: Duration = Duration::from_secs(6);
const COMMIT: &[u8] = b"COMMIT\0";

/// What befalls a link for a while; each in its turn.
const FAULTS: [Fault; 7] = [
    Fault::None,
    Fault::NoReplies,
    Fault::NoRepliesFrom(COMMIT),
    Fault::SilenceFrom(COMMIT),
    Fault::Silence,
    Fault::Refuse,
    Fault::Late(Duration::from_millis(100)),
];

/// The link fails like this, and is whole again after a while. No connection goes on that has lost
/// bytes: it is reset, or neither side hears the other ever again.
async fn fail(campaign: &mut Campaign, link: &Link, fault: Fault) {
    let told = campaign.rng.random_bool(0.7);
    link.set(fault);
    if fault == Fault::Refuse {
        link.cut();
    }
    drift(&mut campaign.rng, LONGEST).await;
    match (fault, told) {
        (Fault::Late(_), _) => {}
        (_, true) => link.cut(),
        (_, false) => link.forget(),
    }
    link.set(Fault::None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn links_that_fail_again_and_again_lose_nobody() {
    let db = database().await;
    let links = [db.link().await, db.link().await];
    let direct = db.url();
    let over = [db.url_over(&links[0]), db.url_over(&links[1])];
    let mut campaign = Campaign::together(2, PEOPLE, 7, db).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    for (node, over) in campaign.nodes.iter().zip(&over) {
        node.configure(&direct, over);
    }
    campaign.start_all().await;
    campaign.gateway.behave(Behaviour::TakeInTime(ANSWER));
    let failures = rounds(7, 50);
    for fault in FAULTS.into_iter().cycle().take(failures as usize) {
        let count = campaign.gateway.taken().len() + campaign.rng.random_range(1..16);
        campaign.change(CHANGES).await;
        let taken = campaign.gateway.wait_for(count);
        let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        let link = &links[campaign.rng.random_range(0..links.len())];
        fail(&mut campaign, link, fault).await;
    }
    for node in &mut campaign.nodes {
        node.until_ready().await;
    }
    let what = format!("{failures} failures of a link");
    let (books, _) = campaign.end(&what).await;
    let disowned = |node: &Daemon| node.log().matches("in doubt was disowned").count();
    let disowned: usize = campaign.nodes.iter().map(disowned).sum();
    let ended = books.leases_ended;
    println!("{ended} leases ended without an outcome, {disowned} claims were disowned");
    // A few failures may miss every lease; that the links failed the nodes feel in any case.
    let felt = |node: &Daemon| node.log().matches("tried again").count();
    let felt: usize = campaign.nodes.iter().map(felt).sum();
    assert!(felt > 0, "no failure was felt");
    assert!(ended > 0 || failures < 50, "no lease ended");
}
