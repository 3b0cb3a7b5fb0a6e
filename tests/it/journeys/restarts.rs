//! A gateway that nobody hands anything to, and a daemon that is started again and again: the rung has its time, and no
//! more of it for the restarts. Only where nobody was there to try does its time begin anew.

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::world::{World, announced, passport};

/// How long it takes until the rung gives way, looked at every five minutes, while `meanwhile` happens before the look
/// of that number.
async fn gives_way_after(meanwhile: impl Fn(&mut World, &mut DateTime<Utc>, u32)) -> TimeDelta {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    let mut now = announced();
    for look in 0..400 {
        meanwhile(&mut world, &mut now, look);
        world.at(&now.to_rfc3339());
        if world.tend().await.swept.gave_way > 0 {
            return now - announced();
        }
        now += TimeDelta::minutes(5);
    }
    panic!("the rung never gives way");
}

#[tokio::test]
async fn a_restart_gives_a_rung_no_new_time() {
    let undisturbed = gives_way_after(|_, _, _| ()).await;
    let restarted = gives_way_after(|world, _, look| {
        if look % 4 == 3 {
            world.restart_upkeep();
        }
    });
    assert_eq!(restarted.await, undisturbed);

    // A quarter of an hour without anybody is longer than the shortest rung.
    let left_alone = gives_way_after(|world, now, look| {
        if look == 12 {
            world.restart_upkeep();
            *now += TimeDelta::minutes(15);
        }
    });
    assert!(left_alone.await > undisturbed);
}
