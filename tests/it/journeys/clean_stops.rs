//! SIGTERM in every phase of the real daemon: on its way up, at rest, before it has recorded or
//! claimed, with its hand-overs in the air, while they are refused, while they are settled. The
//! gateway answers within the drain limit, so that nothing may be left unknown, ever.

use std::time::Duration;

use rand::RngExt;

use crate::support::books::Books;
use crate::support::campaign::{Campaign, drift, rounds};
use crate::support::gateway::Behaviour;

/// More than one node holds, so that claims wait for the wire when the signal comes.
const CHANGES: u32 = 24;
/// The longest stretch over which a moment is drawn.
const STRETCH: Duration = Duration::from_millis(80);

/// Brings the daemon to phase `phase` of six, and asks it to end there.
async fn stop_in(campaign: &mut Campaign, phase: u32) {
    let behaviour = match phase {
        3 => Behaviour::TakeAndWait,
        4 => Behaviour::Answer(503),
        _ => Behaviour::Accept,
    };
    campaign.gateway.behave(behaviour);
    campaign.nodes[0].spawn(&[]);
    if phase == 0 {
        drift(&mut campaign.rng, STRETCH * 4).await;
    } else {
        campaign.nodes[0].until_ready().await;
    }
    if phase > 1 {
        let count = campaign.gateway.taken().len() + campaign.rng.random_range(1..=8);
        campaign.change(CHANGES).await;
        if phase == 3 || phase == 5 {
            // There may be fewer to tell, and the gateway must not be silent for long.
            let taken = campaign.gateway.wait_for(count);
            let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        } else {
            drift(&mut campaign.rng, STRETCH * 2).await;
        }
    }
    campaign.nodes[0].signal("TERM");
    drift(&mut campaign.rng, STRETCH).await;
    campaign.gateway.let_go();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_any_phase_leaves_nothing_unknown() {
    let stops = rounds(20, 200);
    let mut campaign = Campaign::alone(120, 3).await;
    campaign.configure(|node| node.hurry(30, "70s"));
    let mut in_the_air = 0;
    for stop in 0..stops {
        let phase = stop % 6;
        stop_in(&mut campaign, phase).await;
        let node = &mut campaign.nodes[0];
        let status = node.until_ended().await;
        // Before it listens to signals, a process ends by them.
        let ended = status.code() == Some(0) || phase == 0 && status.code().is_none();
        assert!(ended, "phase {phase}: {status}\n{}", node.log());
        if node.path("varsel.db").exists() {
            let books = Books::left_behind(&node.path("varsel.db")).await;
            let open = books.standing_as(&["sending", "unknown"]);
            assert_eq!(
                (open, books.unknown_ever),
                (0, 0),
                "stop {stop}, phase {phase}"
            );
        }
        in_the_air += u32::from(phase == 3);
    }
    campaign.start_all().await;
    let what = format!("{stops} clean stops, {in_the_air} with hand-overs in the air");
    let (_, sum) = campaign.end(&what).await;
    assert_eq!((sum.twice, sum.marked, sum.unknown), (0, 0, 0), "{sum}");
}
