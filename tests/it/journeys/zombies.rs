//! A node that stands still beyond its lease (SIGSTOP) while another lives on, and then goes on
//! where it stood: what it had claimed and not begun never leaves, and what it settles late moves
//! nothing that is no longer its own.

use std::time::Duration;

use crate::support::books::{Books, named};
use crate::support::campaign::{Campaign, rounds};
use crate::support::gateway::Behaviour;
use crate::support::postgres::database;

/// More than one node holds, so that both have their hands full.
const CHANGES: u32 = 28;
/// Hand-overs at the same time, of both nodes together.
const CONNECTIONS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_node_that_comes_back_from_a_pause_sends_nothing_more() {
    let mut campaign = Campaign::together(2, 200, 4, database().await).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    campaign.start_all().await;
    let stops = rounds(5, 50);
    let mut held = 0;
    for round in 0..stops {
        let zombie = (round % 2) as usize;
        campaign.gateway.behave(Behaviour::TakeAndWait);
        let before = campaign.gateway.taken().len();
        campaign.change(CHANGES).await;
        // Every connection of both waits for its answer; what else they claimed waits for the wire.
        let taken = campaign.gateway.wait_for(before + CONNECTIONS);
        let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        campaign.nodes[zombie].signal("STOP");
        held += campaign.books().await.open_attempts;
        campaign.gateway.let_go();
        // The other node lives through the lease and the quarantine, and does all there is to do.
        let done = |books: &Books| books.under_way() == 0;
        campaign
            .until("the other node has ended it all", done)
            .await;
        let (newest, taken) = (
            campaign.books().await.newest_attempt(),
            campaign.gateway.taken(),
        );
        campaign.nodes[zombie].signal("CONT");
        let told = |books: &Books| books.open_attempts == 0;
        campaign
            .until("the zombie has told what it knows", told)
            .await;
        let late = campaign.gateway.taken().split_off(taken.len());
        let late = late.iter().filter(|sms| named(sms).0 <= newest).count();
        assert_eq!(late, 0, "round {round}: left after their lease");
    }
    let what = format!("{stops} zombies, {held} claims held when they stopped");
    let (_, sum) = campaign.end(&what).await;
    assert!(sum.marked > 0, "no zombie held anything: {sum}");
    assert!(sum.unknown <= held, "{held} were held: {sum}");
}
