//! What Varsel says about itself: logs to standard error, figures for Prometheus, and panics that
//! name their place.
//!
//! No line, label or panic holds a person's number, address or text: contact types print masked,
//! labels come from the configuration and from fixed words, and a panic's payload is never printed.

use std::panic::PanicHookInfo;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt;

mod metrics;

pub use metrics::Metrics;

/// What is logged where [`FILTER_VARIABLE`] asks for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What the daemon does, and trouble of the libraries.
    Work,
    /// Trouble only.
    Trouble,
}

impl Detail {
    /// A slow statement of sqlx is no trouble of ours to tell, and its line is long.
    const fn filter(self) -> &'static str {
        match self {
            Self::Work => "warn,sqlx=error,varsel=info",
            Self::Trouble => "error,varsel=warn",
        }
    }
}

/// The variable that overrides the filter, such as `VARSEL_LOG=varsel=debug`.
const FILTER_VARIABLE: &str = "VARSEL_LOG";

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging to standard error and replaces the panic hook. Called once; a second call changes
/// nothing.
pub fn start(format: LogFormat, detail: Detail) {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new(detail.filter()));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    // A second subscriber is refused by the library; the first one stays.
    let _ = match format {
        LogFormat::Text => {
            let colour =
                anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
            lines
                .with_ansi(colour)
                .with_target(false)
                .finish()
                .try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    std::panic::set_hook(Box::new(report_panic));
}

/// A panic's message may quote the value it stumbled over, so only its place is told.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(
        panic.place = place,
        panic.thread = thread,
        "a fault in the program stopped a task at {place}; its message is withheld because it may \
         hold personal data"
    );
}
