//! What `demo` runs beside the daemon: a booking register, an SMS gateway, a mail server, and a page
//! that shows them all. Everything listens on loopback addresses; no message leaves the machine.
//!
//! The daemon meets it over the real protocols only (SQLite file, HTTP, SMTP). The page and the
//! story look at the store through [`Desk`], as any person's tool does; they never move a message.

pub mod gateway;
pub mod mail;
pub mod page;
pub mod register;
pub mod story;

mod desk;
mod feed;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::domain::calendar;
use crate::domain::directory::Directory;
use crate::store::Desk;

use desk::AnyDesk;
pub use feed::{Feed, Kind, Line, Said};
use gateway::{Gateway, Reporter};
use mail::Mailbox;
use page::Page;
use register::{Invention, Register, RegisterError};

/// The source's name in the configuration that `demo` runs with.
pub const SOURCE: &str = "sandbox";
/// Bookings in the register.
pub const BOOKINGS: u32 = 2_000;
/// What a part of an SMS costs in the sandbox, in øre: an invented price.
pub const PART_PRICE_ORE: u32 = 45;
/// How many days the register's calendar spans.
const DAYS: i64 = 31;
/// The register's file in the sandbox's folder.
const REGISTER_FILE: &str = "register.sqlite";
/// The seed of the invented register.
const SEED: u64 = 17_032_021;

/// What the sandbox needs.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Where the page and the gateway listen; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Where the mail server listens; a loopback address, port 0 for any free one.
    pub smtp: SocketAddr,
    /// An existing folder for the register, where no register lies yet.
    pub folder: PathBuf,
    /// What a part of an SMS costs, in øre (hundredths of a Norwegian krone).
    pub part_price_ore: u32,
    /// The clock it shares with the daemon.
    pub clock: Clock,
    /// The offices and services it invents bookings for.
    pub directory: Arc<Directory>,
    /// Ends everything.
    pub stop: CancellationToken,
}

/// Why the sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// An address outside this machine.
    #[error("the sandbox listens on loopback addresses only, and {0} is not one; use 127.0.0.1")]
    NotLoopback(SocketAddr),
    /// A port is taken or may not be used.
    #[error("the sandbox cannot listen on {address}: {problem}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The register could not be made.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The client for reports could not be made.
    #[error("the sandbox's gateway cannot report: {0}")]
    Reports(#[from] reqwest::Error),
}

/// The running sandbox.
#[derive(Clone)]
pub struct Sandbox {
    /// Where the page and the gateway listen.
    pub http_addr: SocketAddr,
    /// Where the mail server listens.
    pub smtp_addr: SocketAddr,
    /// The booking register; the daemon reads its file.
    pub register: Register,
    /// The SMS gateway.
    pub gateway: Gateway,
    /// The mail server's mails.
    pub mailbox: Mailbox,
    /// What happened, for people.
    pub feed: Feed,
    /// The offices and services.
    pub directory: Arc<Directory>,
    part_price_ore: u32,
    desk: AnyDesk,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Makes the register and starts the servers.
///
/// # Errors
/// As the names of [`SandboxError`] say; nothing is left running then.
pub async fn start(settings: SandboxSettings) -> Result<Sandbox, SandboxError> {
    for address in [settings.listen, settings.smtp] {
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(address));
        }
    }
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|problem| cannot_listen(settings.listen, problem))?;
    let http_addr = listener
        .local_addr()
        .map_err(|problem| cannot_listen(settings.listen, problem))?;
    let register = invent(&settings).await?;

    let bell = Bell::new();
    let tasks = TaskTracker::new();
    let (clock, stop) = (settings.clock, settings.stop.child_token());
    let mailbox = Mailbox::new(clock, bell.clone());
    let smtp_addr = mail::serve(settings.smtp, mailbox.clone(), &tasks, stop.clone())
        .await
        .map_err(|problem| cannot_listen(settings.smtp, problem))?;
    let reporter = Reporter::new(clock, tasks.clone(), stop.clone())?;
    let sandbox = Sandbox {
        http_addr,
        smtp_addr,
        register,
        gateway: Gateway::new(clock, bell.clone(), reporter),
        mailbox,
        feed: Feed::new(clock, bell.clone()),
        directory: settings.directory,
        part_price_ore: settings.part_price_ore,
        desk: AnyDesk::default(),
        tasks: tasks.clone(),
        stop: stop.clone(),
    };
    let page = Page::new(sandbox.clone(), clock, bell);
    let routes = page.routes().merge(sandbox.gateway.clone().routes());
    tasks.spawn(async move {
        let served = axum::serve(listener, page::guarded(routes))
            .with_graceful_shutdown(stop.cancelled_owned())
            .await;
        if let Err(problem) = served {
            tracing::error!(%problem, "the sandbox's HTTP server ended");
        }
    });
    Ok(sandbox)
}

async fn invent(settings: &SandboxSettings) -> Result<Register, RegisterError> {
    let zone = chrono_tz::Europe::Oslo;
    let tomorrow = calendar::local_day(settings.clock.now(), zone) + TimeDelta::days(1);
    let invention = Invention {
        seed: SEED,
        bookings: BOOKINGS,
        first_day: tomorrow,
        last_day: tomorrow + TimeDelta::days(DAYS - 1),
    };
    let path = settings.folder.join(REGISTER_FILE);
    Register::create(&path, &settings.directory, invention).await
}

fn cannot_listen(address: SocketAddr, problem: std::io::Error) -> SandboxError {
    SandboxError::Listen { address, problem }
}

impl Sandbox {
    /// The URL that messages are posted to.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("http://{}{}", self.http_addr, gateway::PATH)
    }

    /// The URL of the page.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.http_addr)
    }

    /// Gives the page the store to look at, once there is one.
    pub fn attach_desk<S: Desk + 'static>(&self, desk: S) {
        self.desk.attach(desk);
    }

    /// Ends everything and waits until it has ended.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.register.close().await;
    }
}

/// Rings when something the page shows has changed.
#[derive(Clone, Debug)]
struct Bell(Arc<watch::Sender<u64>>);

impl Bell {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn ring(&self) {
        self.0.send_modify(|rung| *rung = rung.wrapping_add(1));
    }

    fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
