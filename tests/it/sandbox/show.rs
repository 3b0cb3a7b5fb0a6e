//! The whole show: the sandbox and the real daemon beside it, as `demo` runs them, with second-long
//! timers and windows that are always open.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use varsel::clock::Clock;
use varsel::config::{Config, Layer};
use varsel::sandbox::story::{Pace, run_story, settled};
use varsel::sandbox::{Sandbox, start};
use varsel::service::start::start as start_service;
use varsel::store::{Access, Database};
use varsel::store::{Desk, Tally};
use varsel::template::Templates;

use super::{model_case, settings, the_afternoon};

/// How often the show looks whether everybody is told, and how many looks it takes: two minutes.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 1_200;

pub(crate) struct Show {
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Database,
    pub(crate) clock: Clock,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Show {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts everything.
pub(crate) async fn open() -> Show {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let mut settings = settings(&folder, &stop);
    let clock = Clock::starting_at(the_afternoon());
    settings.clock = clock;
    let sandbox = start(settings).await.unwrap();
    let config = Layer {
        name: "show.toml".to_owned(),
        text: config(&sandbox),
    };
    std::fs::write(folder.path().join("key"), "sandbox").unwrap();
    let config = Config::parse(Some(config), folder.path()).unwrap();
    let service = config.service(clock).unwrap();
    let store = Database::open(&service.store, Access::Daemon)
        .await
        .unwrap();
    let templates = Arc::new(Templates::load(None).unwrap());
    let directory = Arc::new(model_case());
    let service = start_service(service, store.clone(), directory, templates)
        .await
        .unwrap();
    tokio::spawn(service.run(stop.clone()));
    sandbox.attach_desk(store.clone());
    Show {
        sandbox,
        store,
        clock,
        stop,
        _folder: folder,
    }
}

fn config(sandbox: &Sandbox) -> String {
    let (register, gateway) = (sandbox.register.path().display(), sandbox.gateway_url());
    let port = sandbox.smtp_addr.port();
    format!(
        r#"
[store]
path = "varsel.db"
[http]
listen = "127.0.0.1:0"
[windows]
sms = "always"
email = "always"
phone = "always"
[ladder]
least = "1s"
most = "2s"
[[source]]
name = "sandbox"
profile = "sandbox"
path = "{register}"
every = "500ms"
[gateway.sms]
channel = "sms"
profile = "sandbox"
url = "{gateway}"
mode = "live"
secret_files = {{ key = "key" }}
report_within = "3s"
[gateway.mail]
channel = "email"
host = "127.0.0.1"
port = {port}
tls = "plain"
envelope_from = "varsel@varsel.example"
mode = "live"
"#
    )
}

impl Show {
    /// Tells the story to its end.
    pub(crate) async fn tell(&self, pace: Pace) {
        run_story(&self.sandbox, &self.store, self.clock, pace)
            .await
            .unwrap();
    }

    pub(crate) async fn tally(&self) -> Tally {
        self.store.tally(self.clock.now()).await.unwrap()
    }

    /// Waits until nobody waits, and returns the tally.
    pub(crate) async fn until(&self, what: &str, mut fits: impl FnMut(&Tally) -> bool) -> Tally {
        for _ in 0..LOOKS {
            let tally = self.tally().await;
            if fits(&tally) {
                return tally;
            }
            self.clock.pause(LOOK).await;
        }
        panic!("{what} did not come: {:?}", self.tally().await);
    }

    pub(crate) async fn settled(&self) -> Tally {
        self.until("the end", |tally| tally.people() > 0 && settled(tally))
            .await
    }
}
