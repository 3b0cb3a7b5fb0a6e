//! The disk under the store is full: sending stops, on every gateway, before outcomes are lost; a
//! metric and the log say so; and it goes on by itself when there is room. It needs root, for a
//! small disk of its own, and says so where that cannot be had.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use varsel::store::Desk;

use crate::support::cannot_run_here;
use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

const PEOPLE: u32 = 40;

/// Hand-overs at the same time, of the daemon's configuration.
const CONNECTIONS: usize = 8;

/// A disk of four megabytes in memory.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&at);
        let mounted = mount.output().is_ok_and(|o| o.status.success());
        mounted.then_some(Self { at })
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        for size in [64 * 1024, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

fn store_on(daemon: &Daemon, disk: &Path) {
    let path = disk.join("varsel.db").display().to_string();
    let journal = daemon.path("attempts").display().to_string();
    let tables = format!("[store]\npath = \"{path}\"\njournal = \"{journal}\"\n[upkeep]");
    daemon.configure("[upkeep]", &tables);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_stops_and_goes_on_by_itself() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndWait);
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    let Some(disk) = SmallDisk::mount(daemon.path("disk")) else {
        cannot_run_here(module_path!(), "it needs root and a file system in memory");
        return;
    };
    store_on(&daemon, &disk.at);
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(CONNECTIONS).await;

    disk.fill();
    gateway.let_go();
    let stopped = "varsel_sending_stopped{why=\"store\"} 1";
    daemon
        .until("it says that nothing is sent", async || {
            daemon.get("/metrics").await.contains(stopped)
        })
        .await;
    let before = gateway.taken().len();
    assert!(daemon.get("/readyz").await.contains("nothing is sent"));
    assert!(
        daemon
            .log()
            .contains("nothing is sent: outcomes cannot be written")
    );
    // It tries to write again and again, and meanwhile nothing more leaves but what was just leaving.
    let tried = || daemon.log().matches("will be tried again").count();
    let until = tried() + 20;
    daemon
        .until("it has tried", async || tried() >= until)
        .await;
    let meanwhile = gateway.taken().len() - before;
    assert!(meanwhile <= CONNECTIONS, "{meanwhile} left meanwhile");

    disk.make_room();
    let path = disk.at.join("varsel.db");
    let store = varsel::store::Database::sqlite(&path, varsel::store::Access::ReadOnly)
        .await
        .unwrap();
    daemon
        .until("everybody was handed over", async || {
            let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
            tally.sms == PEOPLE && tally.unknown == 0
        })
        .await;
    daemon
        .until("it is ready again", async || {
            daemon.get("/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
    let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    let marked = tally.possible_duplicates as usize;
    let extra = gateway.taken().len() - PEOPLE as usize;
    assert!(
        extra <= marked,
        "{extra} second hand-overs, {marked} marked"
    );
    assert_eq!(store.verify().await.unwrap(), [], "the store is whole");
    daemon.kill();
}
