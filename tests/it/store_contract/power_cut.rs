//! A power cut: an ext4 image whose file system is shut down without writing its log or its caches,
//! mounted anew. What was acknowledged must be there. It needs root and a loop device, and says so
//! where they are not there.

use varsel::domain::message::{Channel, MessageState};
use varsel::store::Outbox;
use varsel::store::{Access, Database};

use super::fixtures::{ask, cancel, state};
use crate::support::cannot_run_here;
use crate::support::disk::Disk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_power_cut() {
    let Some(mut disk) = Disk::new() else {
        cannot_run_here(module_path!(), "it needs root and a loop device");
        return;
    };
    let path = disk.mount_point().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    cancel(&store, 20).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    assert_eq!(claims.len(), 20);
    disk.cut();
    store.close().await;
    disk.mount_anew();

    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    for n in 1..=20 {
        assert_eq!(
            state(&store, n).await,
            MessageState::Sending,
            "the intent of booking {n}"
        );
    }
    store.close().await;
}
