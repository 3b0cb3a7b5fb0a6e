//! 200 cancellations a second on two nodes with one database, and one of them killed every second.
//! With a gateway that can be asked each person is told exactly once; with one that cannot, nobody
//! is lost, and whoever was told twice is marked.

use std::collections::BTreeMap;
use std::time::Duration;

use varsel::clock::{Clock, Mono};

use crate::support::books::Sum;
use crate::support::campaign::{Campaign, rounds};
use crate::support::daemon::{LOOKUP, SANDBOX};
use crate::support::gateway::Behaviour;
use crate::support::postgres::database;

/// Cancellations a second, and how many of them at once.
const PER_SECOND: u32 = 200;
const AT_ONCE: u32 = 20;
/// So long the gateway takes to answer: a node that is killed has its hands full.
const ANSWER: Duration = Duration::from_millis(50);
/// Kills go on for so many seconds after the last cancellation: a build without optimization is slow,
/// and most leaves then.
const SECONDS_MORE: u32 = 10;

/// What a campaign came to, and how often each person was told.
async fn cancel_and_kill(more: &str, what: &str) -> (Sum, BTreeMap<String, usize>) {
    let people = rounds(2_000, 20_000);
    let mut campaign = Campaign::together(2, people, 6, database().await).await;
    campaign.configure(|node| {
        node.hurry(2, "4s");
        node.speak(&format!("{SANDBOX}{more}"), 2);
        node.configure("every = \"100ms\"\nzone", "every = \"1s\"\nzone");
    });
    campaign.start_all().await;
    campaign.gateway.behave(Behaviour::TakeInTime(ANSWER));
    let (kills, cancelled_in) = under_load(&mut campaign, people).await;
    for node in &mut campaign.nodes {
        node.until_ready().await;
    }
    let (books, sum) = campaign.end(&format!("{what}, {kills} kills")).await;
    println!("{} hand-overs were in the air", books.leases_ended);
    let mut times = BTreeMap::new();
    for sms in campaign.gateway.taken() {
        *times.entry(sms.to).or_default() += 1;
    }
    assert_eq!(sum.people, people as usize);
    // The rate was lived, and so were the kills: each found a node with its hands full.
    let seconds = people / PER_SECOND;
    let longest = Duration::from_secs(u64::from(seconds)) * 2;
    assert!(cancelled_in <= longest, "cancelled in {cancelled_in:?}");
    assert!(kills >= seconds / 4, "{kills} kills in {seconds} seconds");
    assert!(books.leases_ended > 0, "nothing was in the air");
    (sum, times)
}

/// Everybody is cancelled, so many a second, and at the end of each second one node is killed.
/// Returns how many kills it came to, and within what time everybody was cancelled.
async fn under_load(campaign: &mut Campaign, people: u32) -> (u32, Duration) {
    let parts = PER_SECOND / AT_ONCE;
    let begun = Mono::now();
    let (mut kills, mut cancelled_in) = (0, Duration::ZERO);
    for part in 0..(people / AT_ONCE + SECONDS_MORE * parts) {
        let due = Duration::from_secs(1) / parts * part;
        Clock::system()
            .pause(due.saturating_sub(begun.elapsed()))
            .await;
        let first = part * AT_ONCE;
        if first < people {
            campaign.cancel(first..first + AT_ONCE).await;
            cancelled_in = begun.elapsed();
        }
        if (part + 1).is_multiple_of(parts) {
            kills += u32::from(kill_one(campaign, kills).await);
        }
    }
    (kills, cancelled_in)
}

/// Kills the node whose turn it is, and starts it again. One that has nothing in its hands in this life
/// is left to come up: to kill it would show nothing.
async fn kill_one(campaign: &mut Campaign, kills: u32) -> bool {
    let turn = (kills % 2) as usize;
    let up = campaign.nodes[turn].is_ready().await;
    let holds = up && campaign.books().await.held_by(&format!("node-{turn}")) > 0;
    if holds {
        campaign.nodes[turn].kill();
        campaign.nodes[turn].spawn(&[]);
    }
    holds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn with_a_gateway_that_can_be_asked_each_is_told_once() {
    let (sum, times) = cancel_and_kill(LOOKUP, "a gateway that can be asked").await;
    assert!(times.values().all(|times| *times == 1), "{sum}");
    assert_eq!((times.len(), sum.marked), (sum.people, 0), "{sum}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn with_a_gateway_that_cannot_be_asked_whoever_is_told_twice_is_marked() {
    let (sum, times) = cancel_and_kill("", "a gateway that cannot be asked").await;
    assert_eq!(times.len() + sum.on_call_list, sum.people, "{sum}");
}
