//! What reaches people on duty without a message gateway: a command of theirs, and the beat by which
//! somebody else notices that we have stopped.
//!
//! A command gets an alarm as JSON on its standard input, nothing of our environment, and a limit.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::{Client, redirect, retry};
use rustix::process::{Pid, Signal, kill_process_group};

/// A command of the people on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyCommand {
    /// The program, by its whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// It is ended when it takes longer.
    pub time_limit: Duration,
}

/// Why nobody was reached so. It holds nothing of what was to be said.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The command cannot be run.
    #[error("it cannot be run: {0}")]
    NotRun(std::io::Error),
    /// The command was ended.
    #[error("it was ended after {0} seconds")]
    TooLong(u64),
    /// The command says that it failed.
    #[error("it ended with {0}")]
    Failed(ExitStatus),
    /// The beat cannot be written or sent.
    #[error("{0}")]
    Beat(String),
}

/// All that a command finds in its environment.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

impl DutyCommand {
    /// Runs it once with `input` on its standard input; it has been heard if it ends with 0.
    ///
    /// # Errors
    /// [`DutyError`]; one that takes too long is ended with everything that it has started.
    pub async fn run(&self, input: &str) -> Result<(), DutyError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(DutyError::NotRun)?;
        let mut group = Group(Pid::from_raw(child.id().try_into().unwrap_or_default()));
        let input = input.to_owned();
        let ending = tokio::task::spawn_blocking(move || fed(&mut child, &input));
        let ended = tokio::time::timeout(self.time_limit, ending).await;
        let Ok(Ok(status)) = ended else {
            return Err(DutyError::TooLong(self.time_limit.as_secs()));
        };
        group.0 = None;
        let status = status.map_err(DutyError::NotRun)?;
        if status.success() {
            Ok(())
        } else {
            Err(DutyError::Failed(status))
        }
    }
}

/// Feeds the command, and waits for its end. One that does not read its input may still have heard.
fn fed(child: &mut Child, input: &str) -> std::io::Result<ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait()
}

/// A command and everything that it has started; ended with this value, unless it is taken out.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What others watch: as long as it comes, the lines go round.
pub struct Beat {
    url: Option<(Client, reqwest::Url)>,
    file: Option<PathBuf>,
}

/// A beat that is not taken within this is not taken.
const BEAT_TIMEOUT: Duration = Duration::from_secs(10);

impl Beat {
    /// A beat that asks for `url` and touches `file`, where they are given.
    ///
    /// # Errors
    /// When the address cannot be used, or TLS cannot start.
    pub fn new(url: Option<&str>, file: Option<PathBuf>) -> Result<Self, DutyError> {
        let with_client = |url: &str| {
            let parsed: reqwest::Url = url.parse().map_err(wrong)?;
            let client = client(parsed.scheme() == "http").map_err(wrong)?;
            Ok((client, parsed))
        };
        let url = url.map(with_client).transpose()?;
        Ok(Self { url, file })
    }

    /// Beats once.
    ///
    /// # Errors
    /// When either was not taken; the other was tried all the same.
    pub async fn beat(&self) -> Result<(), DutyError> {
        let touched = match &self.file {
            Some(file) => tokio::fs::write(file, b"").await.map_err(wrong),
            None => Ok(()),
        };
        if let Some((client, url)) = &self.url {
            let answer = client.get(url.clone()).send().await;
            // The address may be a secret: it names nobody but us, and still is not for the log.
            let answer = answer.and_then(reqwest::Response::error_for_status);
            answer.map_err(|error| wrong(error.without_url()))?;
        }
        touched
    }
}

fn wrong(problem: impl std::fmt::Display) -> DutyError {
    DutyError::Beat(problem.to_string())
}

fn client(plain: bool) -> reqwest::Result<Client> {
    // Another channel may have installed it before; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("varsel/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .timeout(BEAT_TIMEOUT)
        .pool_max_idle_per_host(0);
    // A plain address needs no certificates, and a host without any must still be able to use it.
    let builder = if plain {
        builder.tls_certs_only([])
    } else {
        builder.https_only(true)
    };
    builder.build()
}
