//! PostgreSQL stops at once in mid-flight, again and again, under two nodes of the real binary: a
//! COMMIT whose answer never came is neither sent by guess nor forgotten.

use rand::RngExt;

use crate::support::campaign::{Campaign, rounds};
use crate::support::gateway::Behaviour;
use crate::support::postgres::Postgres;

const CHANGES: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_database_that_stops_again_and_again_loses_nobody() {
    let server = Postgres::start();
    let mut campaign = Campaign::together(2, 300, 5, server.database().await).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    campaign.start_all().await;
    let stops = rounds(3, 25);
    let mut held = 0;
    for _ in 0..stops {
        campaign.gateway.behave(Behaviour::Accept);
        let count = campaign.gateway.taken().len() + campaign.rng.random_range(1..24);
        campaign.change(CHANGES).await;
        campaign.gateway.wait_for(count).await;
        held += campaign.books().await.in_flight();
        server.stop_at_once();
        server.start_again();
        for node in &mut campaign.nodes {
            node.until_ready().await;
        }
    }
    let what = format!("{stops} stops of PostgreSQL, {held} claims in the air");
    let (books, sum) = campaign.end(&what).await;
    assert!(held > 0, "every stop found idle nodes");
    println!(
        "{} leases ended without an outcome; {sum}",
        books.leases_ended
    );
}
