//! kill -9 of the real daemon, many times on one store: at every durable boundary of its lines, and
//! at random, while bookings are cancelled and reinstated and the gateway keeps answers to itself.
//! After each crash the books that were left behind are read; in the end every law is counted.

use std::time::Duration;

use rand::RngExt;
use varsel::sabotage::POINTS;

use crate::support::books::Sum;
use crate::support::campaign::{Campaign, drift, rounds};
use crate::support::gateway::Behaviour;

/// What one node may hold: connections + claim_ahead of the daemon's configuration.
const IN_FLIGHT: u32 = 16;
/// Bookings that change before each crash.
const CHANGES: u32 = 6;

/// What the crashes of a campaign have left behind.
#[derive(Default)]
struct Left {
    crashes: u32,
    /// Claims without an outcome.
    claims: u32,
}

async fn begin(people: u32, seed: u64) -> Campaign {
    let mut campaign = Campaign::alone(people, seed).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    campaign.start_all().await;
    campaign.nodes[0].kill();
    campaign
}

/// The gateway answers, or keeps what it took to itself, or forgets it.
pub(super) fn draw_behaviour(campaign: &mut Campaign) {
    let behaviours = [
        Behaviour::Accept,
        Behaviour::Accept,
        Behaviour::TakeAndHang,
        Behaviour::LoseAndHang,
        Behaviour::Answer(503),
    ];
    let drawn = campaign.rng.random_range(0..behaviours.len());
    campaign.gateway.behave(behaviours[drawn]);
}

impl Left {
    /// The dead process has left intents for all that was taken, and no more than it may hold.
    async fn look(&mut self, campaign: &Campaign) {
        self.crashes += 1;
        let taken = campaign.gateway.taken();
        let books = campaign.left_behind().await;
        let crash = self.crashes;
        assert_eq!(books.unwritten(&taken), 0, "crash {crash}: left unwritten");
        let held = books.in_flight();
        assert!(held <= IN_FLIGHT, "crash {crash}: {held} were in the air");
        self.claims += held;
    }

    async fn end(self, mut campaign: Campaign) -> Sum {
        campaign.gateway.behave(Behaviour::Accept);
        campaign.start_all().await;
        let what = format!(
            "{} crashes, {} claims in the air",
            self.crashes, self.claims
        );
        let (books, sum) = campaign.end(&what).await;
        let ended = books.leases_ended;
        assert!(
            ended <= self.claims,
            "{ended} leases ended, left were {}",
            self.claims
        );
        sum
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_durable_boundary_loses_nobody() {
    let mut campaign = begin(60, 1).await;
    let mut left = Left::default();
    for round in 0..rounds(1, 10) {
        for point in POINTS {
            campaign.change(CHANGES).await;
            draw_behaviour(&mut campaign);
            if point.starts_with("dispatch") {
                campaign.gateway.behave(Behaviour::Accept);
            }
            // Heartbeats commit first: another number each time crosses every kind of commit.
            let hit = match point.starts_with("writer") {
                true => campaign.rng.random_range(1..=8),
                false => 1,
            };
            let at = format!("{point}:{hit}");
            let node = &mut campaign.nodes[0];
            node.spawn(&[("VARSEL_CRASH_AT", &at)]);
            let status = node.until_ended().await;
            assert_eq!(status.code(), None, "round {round}, {at}: {status}");
            left.look(&campaign).await;
        }
    }
    left.end(campaign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_at_random_lose_nobody() {
    let mut campaign = begin(80, 2).await;
    let mut left = Left::default();
    for _ in 0..rounds(20, 200) {
        campaign.change(CHANGES).await;
        draw_behaviour(&mut campaign);
        campaign.nodes[0].spawn(&[]);
        // Somewhere on its way up, or around a hand-over: the gateway's own count is the clock.
        let more = campaign.rng.random_range(0..4);
        if more > 0 {
            let count = campaign.gateway.taken().len() + more;
            campaign.nodes[0].until_ready().await;
            campaign.change(CHANGES).await;
            let taken = campaign.gateway.wait_for(count);
            let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        }
        drift(&mut campaign.rng, Duration::from_millis(60)).await;
        campaign.nodes[0].kill();
        left.look(&campaign).await;
    }
    let sum = left.end(campaign).await;
    assert!(sum.marked > 0, "no crash left anything in doubt");
}
