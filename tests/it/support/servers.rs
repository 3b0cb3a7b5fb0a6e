//! Real servers for tests: commands inside the root that `tests/servers/fetch` unpacks.
//!
//! A test that uses this is marked `#[ignore = "needs tests/servers/fetch"]`: plain `cargo test` then names it as
//! ignored, and `tests/run` runs it wherever the servers are. Servers see the host's temporary folder and this work
//! tree at the same paths, and its loopback network; they end with the value that started them. A server that drops
//! root needs its folder readable: `tempdir()` makes 0700.

use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// A command that will run inside the servers' root.
pub(crate) fn in_root(program: &str) -> Command {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(tree.join("tests/servers/in-root"));
    command.arg(program).stdin(Stdio::null());
    command
}

/// Runs a command inside the servers' root to its end.
///
/// # Panics
/// If there is no such root yet, or no right to enter it: says what to run.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command
        .output()
        .expect("tests/servers/in-root can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.starts_with("in-root:"), "{said}");
    output
}

/// A server that runs until this is dropped, with everything it started.
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command`, which must stay in the foreground (`postfix start-fg`, not `postfix start`).
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(
            command
                .spawn()
                .expect("tests/servers/in-root can be started"),
        )
    }

    /// The same, with what it prints, for those who say there where they listen. The reader must live as long as the
    /// server, or what it prints next would end it.
    pub(crate) fn start_reading(command: &mut Command) -> (Self, ChildStdout) {
        let mut server = Self::start(command.stdout(Stdio::piped()));
        let printed = server.0.stdout.take().expect("the output is piped");
        (server, printed)
    }

    /// The same for those who take orders. A server that ends where its orders end does so with the test process too,
    /// however that ends.
    pub(crate) fn start_talking(command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let (mut server, printed) = Self::start_reading(command.stdin(Stdio::piped()));
        let orders = server.0.stdin.take().expect("the input is piped");
        (server, orders, printed)
    }

    /// Whether it ended by itself, so that nobody waits for it in vain.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL to the script ends the namespace, and with it every process of the server.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
