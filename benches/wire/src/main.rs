//! The two ends of a measurement: `wire sink` takes messages and counts them, `wire bare` is the barest
//! loop that could send them. It knows nothing of Varsel and measures nothing itself; benches/run does.

mod bare;
mod sink;

use std::process::ExitCode;

const USAGE: &str = "usage: wire sink ADDRESS
       wire bare URL MESSAGES CONNECTIONS";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["sink", address] => sink::serve(address).await,
        ["bare", url, messages, connections] => match (messages.parse(), connections.parse()) {
            (Ok(messages), Ok(connections)) => bare::send(url, messages, connections).await,
            _ => Err("MESSAGES and CONNECTIONS are numbers".into()),
        },
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("wire: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in words.
type Problem = Box<dyn std::error::Error + Send + Sync>;
