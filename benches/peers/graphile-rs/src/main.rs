//! graphile_worker as a contender: `fill URL MESSAGES` makes the jobs, `work URL SINK CONNECTIONS` does them.

use std::sync::OnceLock;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};

/// One client for all jobs, as a careful user has it.
static HTTP: OnceLock<(reqwest::Client, String)> = OnceLock::new();

#[derive(Deserialize, Serialize)]
struct Notice {
    key: String,
    name: String,
    office: String,
    date: String,
    reference: String,
}

impl TaskHandler for Notice {
    const IDENTIFIER: &'static str = "notice";

    async fn run(self, _context: WorkerContext) -> impl IntoTaskHandlerResult {
        let (client, sink) = HTTP.get().expect("set before the first job");
        let Self { name, office, date, reference, .. } = &self;
        let text = format!(
            "Hei {name}. Timen din {date} ved {office} er avlyst. Ref. {reference}.\n\n\
             Hello {name}. Your appointment on {date} at {office} is cancelled. Ref. {reference}."
        );
        let body = serde_json::json!({ "key": self.key, "to": "+4740700000", "text": text });
        let answer = client.post(sink).json(&body).send().await.map_err(|error| error.to_string())?;
        answer.json::<serde_json::Value>().await.map_err(|error| error.to_string())?;
        Ok::<(), String>(())
    }
}

fn options(url: &str) -> WorkerOptions {
    WorkerOptions::default().database_url(url).define_job::<Notice>()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fill", url, messages] => {
            let worker = options(url).init().await?;
            let utils = worker.create_utils();
            for number in 0..messages.parse::<u64>()? {
                let notice = Notice {
                    key: format!("g-{number:08}"),
                    name: "Kari".to_owned(),
                    office: "Grønland".to_owned(),
                    date: "24. mars kl. 10.20".to_owned(),
                    reference: format!("{number:06}"),
                };
                utils.add_job(notice, JobSpec::default()).await?;
            }
        }
        ["work", url, sink, connections] => {
            let client = reqwest::Client::builder().tcp_nodelay(true).build()?;
            let _ = HTTP.set((client, (*sink).to_owned()));
            let worker = options(url)
                .concurrency(connections.parse()?)
                .max_pg_conn(10)
                .local_queue(LocalQueueConfig::default().with_size(500))
                .complete_job_batch_delay(Duration::from_millis(1))
                .fail_job_batch_delay(Duration::from_millis(1))
                .init()
                .await?;
            worker.run().await?;
        }
        _ => return Err("usage: graphile-rs fill URL MESSAGES | work URL SINK CONNECTIONS".into()),
    }
    Ok(())
}
