//! A node that stands still beyond its lease (SIGSTOP) while another lives on, and then goes on
//! where it stood: what it had claimed and not begun never leaves, and what it settles late moves
//! nothing that is no longer its own.

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
        campaign.gateway.wait_for(before + CONNECTIONS).await;
        campaign.nodes[zombie].signal("STOP");
        held += campaign.books().await.open_attempts;
        campaign.gateway.let_go();
        // The other node lives through the lease and the quarantine, and does all there is to do.
        campaign
            .until("the other node has ended it all", |books| {
                books.under_way() == 0 && books.open_attempts > 0
            })
            .await;
        let taken = campaign.gateway.taken().len();
        campaign.nodes[zombie].signal("CONT");
        campaign
            .until("the zombie has told what it knows", |books| {
                books.open_attempts == 0
            })
            .await;
        let after = campaign.gateway.taken().len();
        assert_eq!(after, taken, "round {round}: it left after its lease");
    }
    let what = format!("{stops} zombies, {held} claims held when they stopped");
    let (_, sum) = campaign.end(&what).await;
    assert!(sum.marked > 0, "no zombie held anything: {sum}");
}
