//! Nodes that stand still beyond their lease (SIGSTOP) while another lives on, and then go on where
//! they stood: what they had claimed and not begun never leaves, and what they settle late moves
//! nothing that is no longer their own. Two of three stand still at a time, which shows as much of each
//! as one alone would, in half the time.

use std::time::Duration;

use crate::support::books::{Books, named};
use crate::support::campaign::{Campaign, rounds};
use crate::support::gateway::Behaviour;
use crate::support::postgres::database;

const NODES: u32 = 3;
/// More than two nodes hold, so that all have their hands full.
const CHANGES: u32 = 44;
/// Hand-overs at the same time, of all nodes together.
const CONNECTIONS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn nodes_that_come_back_from_a_pause_send_nothing_more() {
    let mut campaign = Campaign::together(NODES, 200, 4, database().await).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    campaign.start_all().await;
    let rounds = rounds(3, 25);
    let mut held = 0;
    for round in 0..rounds {
        let zombies = [0, 1].map(|next| ((round + next) % NODES) as usize);
        campaign.gateway.behave(Behaviour::TakeAndWait);
        let before = campaign.gateway.taken().len();
        campaign.change(CHANGES).await;
        // Every connection of each waits for its answer; what else they claimed waits for the wire.
        let taken = campaign.gateway.wait_for(before + CONNECTIONS);
        let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        for zombie in zombies {
            campaign.nodes[zombie].signal("STOP");
        }
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
        for zombie in zombies {
            campaign.nodes[zombie].signal("CONT");
        }
        let told = |books: &Books| books.open_attempts == 0;
        campaign
            .until("the zombies have told what they know", told)
            .await;
        let late = campaign.gateway.taken().split_off(taken.len());
        let late = late.iter().filter(|sms| named(sms).0 <= newest).count();
        assert_eq!(late, 0, "round {round}: left after their lease");
    }
    let what = format!(
        "{} zombies, {held} claims held when they stopped",
        2 * rounds
    );
    let (_, sum) = campaign.end(&what).await;
    assert!(sum.marked > 0, "no zombie held anything: {sum}");
}
