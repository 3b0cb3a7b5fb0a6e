//! A power cut: an ext4 image whose file system is shut down without writing its log or its caches,
//! mounted anew. What was acknowledged must be there. It needs root and a loop device, and says so
//! where they are not there.

use std::path::PathBuf;
use std::process::Command;

use varsel::domain::message::{Channel, MessageState};
use varsel::store::Outbox;
use varsel::store::{Access, Database};

use super::fixtures::{ask, cancel, state};

/// EXT4_IOC_SHUTDOWN with NOLOGFLUSH (linux/fs/ext4/ext4.h): as if the power had gone.
const CUT: &str = r#"sysopen(my $f, $ARGV[0], 0) or die; my $how = pack("L", 2); ioctl($f, 0x8004587d, $how) or die"#;

struct Disk {
    folder: tempfile::TempDir,
    mounted: bool,
}

fn done(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Disk {
    /// A small disk of its own; `None` where none can be mounted.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Self {
            folder,
            mounted: false,
        };
        std::fs::create_dir(disk.mount_point()).unwrap();
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(24 * 1024 * 1024).unwrap();
        let made = done(
            Command::new("mkfs.ext4")
                .args(["-q", "-F"])
                .arg(disk.image()),
        );
        (made && disk.mount()).then_some(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&mut self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(self.image());
        self.mounted = done(mount.arg(self.mount_point()));
        self.mounted
    }

    fn cut(&self) {
        let mut cut = Command::new("perl");
        cut.args(["-e", CUT]).arg(self.mount_point());
        assert!(done(&mut cut), "the file system cannot be shut down");
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.mounted) {
            done(Command::new("umount").arg(self.mount_point()));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_power_cut() {
    let Some(mut disk) = Disk::new() else {
        println!("not run: it needs root and a loop device");
        return;
    };
    let path = disk.mount_point().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    cancel(&store, 20).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    assert_eq!(claims.len(), 20);
    disk.cut();
    store.close().await;
    disk.unmount();
    assert!(disk.mount());

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
