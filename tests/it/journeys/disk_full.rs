//! The disk under the store, or under the journal of attempts, is full: sending stops, on every gateway,
//! before outcomes are lost; somebody is told, a metric and the log say so, and the beat is silent; and
//! it goes on by itself when there is room. It needs root, for a
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

/// People enough that the journal outgrows the page of its disk that it has already.
const MANY: u32 = 500;

const STOPPED: &str = "varsel_sending_stopped{why=\"store\"} 1";

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

/// Where the store and its journal lie; and a duty command and a beat, which lie elsewhere.
fn keep_at(daemon: &Daemon, store: &Path, journal: &Path) {
    let (path, journal) = (store.display(), journal.display());
    let (told, beat) = (daemon.path("told"), daemon.path("beat"));
    let (told, beat) = (told.display(), beat.display());
    let tables = format!(
        r#"[store]
path = "{path}"
journal = "{journal}"
[alarms]
every = "100ms"
repeat = "300ms"
beat_every = "50ms"
beat_file = "{beat}"
[[alarm]]
command = ["/bin/sh", "-c", "cat >> \"$1\"", "told", "{told}"]
kinds = ["store"]
[upkeep]"#
    );
    daemon.configure("[upkeep]", &tables);
}

/// Nothing is sent: the figures and the log say so, somebody is told, and the beat falls silent.
async fn it_is_known_to_stand_still(daemon: &Daemon) {
    daemon
        .until("it says that nothing is sent", async || {
            daemon.get("/metrics").await.contains(STOPPED)
        })
        .await;
    assert!(daemon.get("/readyz").await.contains("nothing is sent"));
    let log = daemon.log();
    assert!(log.contains("nothing is sent: outcomes cannot be written"));
    daemon
        .until("somebody is told", async || {
            let told = std::fs::read_to_string(daemon.path("told")).unwrap_or_default();
            told.contains("\"kind\":\"store\"") && told.contains("nothing is sent")
        })
        .await;
    let silent = "there is no beat: nothing is sent";
    daemon
        .until("the beat is silent", async || daemon.log().contains(silent))
        .await;
    std::fs::remove_file(daemon.path("beat")).unwrap();
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
    keep_at(
        &daemon,
        &disk.at.join("varsel.db"),
        &daemon.path("attempts"),
    );
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(CONNECTIONS).await;

    disk.fill();
    gateway.let_go();
    daemon
        .until("it says that nothing is sent", async || {
            daemon.get("/metrics").await.contains(STOPPED)
        })
        .await;
    let before = gateway.taken().len();
    it_is_known_to_stand_still(&daemon).await;
    // It tries to write again and again, and meanwhile nothing more leaves but what was just leaving.
    let tried = || daemon.log().matches("will be tried again").count();
    let until = tried() + 20;
    daemon
        .until("it has tried", async || tried() >= until)
        .await;
    let meanwhile = gateway.taken().len() - before;
    assert!(meanwhile <= CONNECTIONS, "{meanwhile} left meanwhile");
    assert!(!daemon.path("beat").exists(), "the beat was silent");

    disk.make_room();
    it_goes_on(&daemon, &gateway, &disk.at.join("varsel.db"), PEOPLE).await;
    daemon.kill();
}

/// Everybody is handed over, by itself, and nobody twice without a mark.
async fn it_goes_on(daemon: &Daemon, gateway: &Gateway, path: &Path, people: u32) {
    let store = varsel::store::Database::sqlite(path, varsel::store::Access::ReadOnly)
        .await
        .unwrap();
    daemon
        .until("everybody was handed over", async || {
            let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
            tally.sms == people && tally.unknown == 0
        })
        .await;
    daemon
        .until("it is ready again", async || {
            daemon.get("/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
    let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    let marked = tally.possible_duplicates as usize;
    let extra = gateway.taken().len() - people as usize;
    assert!(
        extra <= marked,
        "{extra} second hand-overs, {marked} marked"
    );
    assert_eq!(store.verify().await.unwrap(), [], "the store is whole");
    daemon
        .until("it beats again", async || daemon.path("beat").exists())
        .await;
}

/// The store is well, only what must be remembered outside it cannot be: nothing leaves, and somebody
/// hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_journal_is_told_too() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(MANY, &gateway.url(), "").await;
    let Some(disk) = SmallDisk::mount(daemon.path("disk")) else {
        cannot_run_here(module_path!(), "it needs root and a file system in memory");
        return;
    };
    let store = daemon.path("varsel.db");
    keep_at(&daemon, &store, &disk.at.join("attempts"));
    // Each hand-over is a line of the journal.
    daemon.configure(
        "connections = 8\nclaim_ahead = 8",
        "connections = 1\nclaim_ahead = 1",
    );
    daemon.start().await;
    disk.fill();
    daemon.cancel_everybody().await;
    it_is_known_to_stand_still(&daemon).await;
    let told = std::fs::read_to_string(daemon.path("told")).unwrap();
    assert!(told.contains("the journal of attempts"), "{told}");
    assert!(gateway.taken().len() < MANY as usize, "nothing more left");
    disk.make_room();
    it_goes_on(&daemon, &gateway, &store, MANY).await;
    assert_eq!(gateway.taken().len(), MANY as usize, "each once");
    daemon.kill();
}
