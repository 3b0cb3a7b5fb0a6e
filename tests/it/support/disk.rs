//! A disk whose power can be cut: an ext4 image whose file system is shut down without writing its log
//! or its caches, and mounted anew. It needs root and a loop device.

use std::path::PathBuf;
use std::process::Command;

/// EXT4_IOC_SHUTDOWN with NOLOGFLUSH (linux/fs/ext4/ext4.h): as if the power had gone.
const CUT: &str = r#"sysopen(my $f, $ARGV[0], 0) or die; my $how = pack("L", 2); ioctl($f, 0x8004587d, $how) or die"#;

/// A small ext4 disk of its own, unmounted when this is dropped.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
    mounted: bool,
}

fn done(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Disk {
    /// `None` where none can be mounted.
    pub(crate) fn new() -> Option<Self> {
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

    /// Where its files are.
    pub(crate) fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn mount(&mut self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(self.image());
        self.mounted = done(mount.arg(self.mount_point()));
        self.mounted
    }

    /// The power goes: from now on nothing is read or written.
    pub(crate) fn cut(&self) {
        let mut cut = Command::new("perl");
        cut.args(["-e", CUT]).arg(self.mount_point());
        assert!(done(&mut cut), "the file system cannot be shut down");
    }

    /// The power is back. Whoever had files open there has ended.
    pub(crate) fn mount_anew(&mut self) {
        self.unmount();
        assert!(!self.mounted, "somebody still has files open there");
        assert!(self.mount());
    }

    fn unmount(&mut self) {
        if self.mounted {
            self.mounted = !done(Command::new("umount").arg(self.mount_point()));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
        if self.mounted {
            // A test that failed has left files open.
            done(Command::new("umount").arg("-l").arg(self.mount_point()));
        }
    }
}
