//! The power goes under the real binary, again and again on one disk, while it hands over: whatever
//! left has its intent on the disk that comes back, and nobody is lost. It needs root and a loop device, and says so
//! where they are not there.

use std::time::Duration;

use rand::RngExt;

use super::crashes::draw_behaviour;
use crate::support::campaign::{Campaign, drift, rounds};
use crate::support::cannot_run_here;
use crate::support::disk::Disk;

/// Bookings that change before each cut, and once more.
const CHANGES: u32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_that_goes_again_and_again_loses_nobody() {
    let Some(mut disk) = Disk::new() else {
        cannot_run_here(module_path!(), "it needs root and a loop device");
        return;
    };
    let mut campaign = Campaign::alone(60, 8).await;
    campaign.configure(|node| node.hurry(2, "4s"));
    campaign.keep_store_at(disk.mount_point().join("varsel.db"));
    let cuts = rounds(5, 50);
    let mut in_the_air = 0;
    for cut in 0..cuts {
        campaign.nodes[0].start().await;
        campaign.change(CHANGES).await;
        draw_behaviour(&mut campaign);
        let more = campaign.rng.random_range(0..4);
        let taken = campaign.gateway.taken().len();
        let taken = campaign.gateway.wait_for(taken + more);
        let _ = tokio::time::timeout(Duration::from_secs(2), taken).await;
        campaign.change(CHANGES).await;
        drift(&mut campaign.rng, Duration::from_millis(200)).await;
        disk.cut();
        // For a moment longer the process runs over a disk that is gone.
        drift(&mut campaign.rng, Duration::from_millis(100)).await;
        campaign.nodes[0].kill();
        disk.mount_anew();
        let books = campaign.left_behind().await;
        let unwritten = books.unwritten(&campaign.gateway.taken());
        assert_eq!(unwritten, 0, "cut {cut}: left without an intent");
        in_the_air += books.in_flight();
    }
    campaign.start_all().await;
    let what = format!("{cuts} power cuts, {in_the_air} claims in the air");
    campaign.end(&what).await;
    assert!(in_the_air > 0, "every cut found an idle node");
}
