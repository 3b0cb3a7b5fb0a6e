//! `demo`: the real daemon beside the sandbox, in one process, over the real protocols.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, out, run, signals, status};
use crate::clock::{Clock, Mono};
use crate::config::{Config, Layer};
use crate::sandbox::story::{self, Pace, StoryError};
use crate::sandbox::{self, SandboxSettings};
use crate::service::start::start;
use crate::service::supervise::Ended;
use crate::store::{Access, Database, Desk, Tally};
use crate::template::Templates;

mod bar;
mod folder;

use bar::Bar;
use folder::Folder;

pub(super) const HELP: &str = "\
A booking register with 2 000 invented bookings, an SMS gateway, a mail server and the daemon run in
one process. It is the afternoon of 16 March 2021: offices close, and people must be told. Open the
page, cancel a day, release the held batch, make the gateway fail. Nothing leaves this machine.

Examples:
  varsel demo                    until Ctrl-C
  varsel demo --once             without a person; prints the tally, 0 only if nobody waits
  varsel demo --once --json      the tally as JSON on the last line";

/// The page's usual address.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8025));

/// `--once` gives up after this.
const ONCE_WITHIN: Duration = Duration::from_secs(40);

/// How often the tally is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How to show it.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Play the whole story without a person, print the tally and end
    #[arg(long)]
    once: bool,
    /// Where the page listens; a loopback address, port 0 for any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Keep register and store in this new folder instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) async fn perform(json: bool, options: Options) -> Result<Exit, Failure> {
    let folder = Folder::make(options.dir.as_deref())?;
    let stop = CancellationToken::new();
    signals::listen(stop.clone())?;
    let show = Show::start(&folder, &options, stop).await?;
    if !json {
        show.greet(&folder);
    }
    let result = if options.once {
        show.once(json).await
    } else {
        show.watched().await
    };
    let ended = show.end().await;
    let exit = result?;
    run::ending(ended)?;
    Ok(exit)
}

/// Sandbox and daemon, running.
struct Show {
    sandbox: sandbox::Sandbox,
    store: Database,
    daemon: JoinHandle<Ended>,
    clock: Clock,
    stop: CancellationToken,
}

impl Show {
    async fn start(
        folder: &Folder,
        options: &Options,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let clock = Clock::starting_at(afternoon());
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let usual = if options.once { any_port } else { LISTEN };
        let default = Config::load(None)?;
        let directory = default.directory()?;
        // The sandbox outlives the daemon, so that what is on its way still finds it.
        let sandbox_stop = CancellationToken::new();
        let sandbox = sandbox::start(SandboxSettings {
            listen: options.listen.unwrap_or(usual),
            smtp: any_port,
            folder: folder.path().to_owned(),
            part_price_ore: sandbox::PART_PRICE_ORE,
            clock,
            directory: Arc::clone(&directory),
            stop: sandbox_stop,
        })
        .await?;
        let settings = configuration(folder, &sandbox, options.once)?.service(clock)?;
        let templates = Templates::load(None).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Failure::new(
                Exit::Config,
                faults.join("\n"),
                "the templates of this program are broken",
            )
        })?;
        let store = Database::open(&settings.store, Access::Daemon).await?;
        let service = start(settings, store.clone(), directory, Arc::new(templates)).await?;
        sandbox.attach_desk(store.clone());
        let daemon = tokio::spawn(service.run(stop.clone()));
        Ok(Self {
            sandbox,
            store,
            daemon,
            clock,
            stop,
        })
    }

    fn greet(&self, folder: &Folder) {
        out::line(format_args!(
            "Open {}",
            out::styled(out::BOLD, self.sandbox.page_url())
        ));
        out::line(
            "Nothing leaves this machine: the bookings, the phones and the mailbox are invented.",
        );
        out::line(format_args!(
            "Register and store lie in {}.",
            folder.path().display()
        ));
    }

    /// The story with time to watch, until Ctrl-C.
    async fn watched(&self) -> Result<Exit, Failure> {
        out::line("Ctrl-C ends it.");
        let pace = Pace::Watched { beat: story::BEAT };
        let story = story::run_story(&self.sandbox, &self.store, self.clock, pace);
        let told = async {
            if let Err(error) = story.await {
                tracing::warn!("the story ends here, and the page goes on: {error}");
            }
        };
        let mut bar = Bar::new();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            ((), ()) = async { tokio::join!(self.watch(&mut bar), told) } => {}
        }
        bar.end();
        Ok(Exit::Done)
    }

    /// Shows how things stand for as long as the daemon runs.
    async fn watch(&self, bar: &mut Bar) {
        while !self.daemon.is_finished() {
            match self.store.tally(self.clock.now()).await {
                Ok(tally) => bar.show(&tally),
                Err(error) => tracing::warn!("the tally cannot be read: {error}"),
            }
            self.clock.pause(LOOK).await;
        }
    }

    /// The story at one go.
    async fn once(&self, json: bool) -> Result<Exit, Failure> {
        let mut bar = Bar::new();
        bar.begin("The story of an afternoon is played; this takes less than a minute.");
        let began = Mono::now();
        let story = story::run_story(&self.sandbox, &self.store, self.clock, Pace::Once);
        let settled = async {
            story.await.map_err(unfinished)?;
            while !story::settled(&self.store.tally(self.clock.now()).await?) {
                self.clock.pause(LOOK).await;
            }
            Ok::<_, Failure>(())
        };
        let in_time = tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            ended = tokio::time::timeout(ONCE_WITHIN, settled) => match ended {
                Ok(Ok(())) => true,
                // The tally is shown all the same.
                Ok(Err(failure)) => {
                    out::error(failure);
                    false
                }
                Err(_) => false,
            },
            // Without the daemon nobody is told any more.
            () = self.watch(&mut bar) => false,
        };
        let tally = self.store.tally(self.clock.now()).await?;
        bar.end();
        if json {
            out::json(&status::short_json(&tally));
        } else {
            status::show(&tally);
            out::line(format_args!(
                "Done in {:.1} s.",
                began.elapsed().as_secs_f64()
            ));
        }
        Ok(verdict(&tally, in_time))
    }

    async fn end(self) -> Ended {
        self.stop.cancel();
        let ended = self.daemon.await.unwrap_or(Ended::LineBroke);
        self.sandbox.stop().await;
        drop(self.sandbox);
        ended
    }
}

/// Zero only if the story came to its end and nobody waits.
fn verdict(tally: &Tally, in_time: bool) -> Exit {
    if in_time && story::settled(tally) {
        Exit::Done
    } else {
        Exit::No
    }
}

fn unfinished(error: StoryError) -> Failure {
    let help = "the log above may say why; VARSEL_LOG=varsel=debug shows more";
    Failure::new(Exit::No, error.to_string(), help)
}

/// 16 March 2021, 14:00 in Oslo: the day before the offices receive fewer people.
fn afternoon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_615_899_600, 0).expect("the instant is within chrono's range")
}

/// The daemon's configuration, as an agency would write it: only the addresses are known no sooner.
fn configuration(
    folder: &Folder,
    sandbox: &sandbox::Sandbox,
    once: bool,
) -> Result<Config, Failure> {
    folder.write("gateway_key", "sandbox\n")?;
    let windows = if once {
        "sms = \"always\"\nemail = \"always\"\nphone = \"always\"\n"
    } else {
        ""
    };
    let text = format!(
        "{}\n[windows]\n{windows}\n",
        TEMPLATE
            .replace("REGISTER", &sandbox.register.path().display().to_string())
            .replace("GATEWAY_URL", &sandbox.gateway_url())
            .replace("SMTP_PORT", &sandbox.smtp_addr.port().to_string())
    );
    let layer = Layer {
        name: "the demo's configuration".to_owned(),
        text,
    };
    Ok(Config::parse(Some(layer), Path::new(folder.path()))?)
}

/// What differs from the default.
const TEMPLATE: &str = r#"
[store]
path = "varsel.db"

[http]
listen = "127.0.0.1:0"

[upkeep]
every = "500ms"
quarantine_margin = "1s"

[retry]
base = "200ms"
cap = "2s"

[drain]
limit = "15s"

[[source]]
name = "sandbox"
profile = "sandbox"
path = 'REGISTER'
every = "500ms"

[gateway.sms]
channel = "sms"
mode = "live"
profile = "sandbox"
url = "GATEWAY_URL"
report_within = "5s"
connections = 16
secret_files = { key = "gateway_key" }

[gateway.mail]
channel = "email"
mode = "live"
host = "127.0.0.1"
port = SMTP_PORT
tls = "plain"
envelope_from = "no-reply@varsel.example"
timeouts = { command = "2s", body = "2s", dot = "5s" }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_no_while_somebody_waits_or_the_story_has_not_ended() {
        let told = Tally {
            told: 3,
            must_be_phoned: 1,
            ..Tally::default()
        };
        let waits = Tally { waiting: 1, ..told };
        let held = Tally { held: 1, ..told };
        assert_eq!(verdict(&told, true), Exit::Done);
        assert_eq!(verdict(&told, false), Exit::No);
        assert_eq!(verdict(&waits, true), Exit::No);
        assert_eq!(verdict(&held, true), Exit::No);
        assert_eq!(Exit::No.code(), 1);
    }
}
