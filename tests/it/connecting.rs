//! docs/CONNECT.md, carried out: its statements run on a system nobody has seen, its pages are the
//! configuration, its commands are typed, and what it says they print is what they print.

use std::fs;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::house::{House, code, stderr, stdout};

/// The blocks of a document: what stands behind the fence, and what is within.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

async fn execute(house: &House, sql: &str) {
    let system = SqliteConnectOptions::new()
        .filename(house.path("kalender.db"))
        .create_if_missing(true);
    let mut system = system.connect().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut system).await.unwrap();
}

/// A line without what only makes it pretty.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Types the commands of a block; each line below one must stand in what it prints, in this order.
async fn type_in(house: &House, block: &str) {
    let mut printed: Vec<String> = Vec::new();
    let mut ended = None;
    for line in block.lines().map(plain).filter(|line| !line.is_empty()) {
        if let Some(command) = line.strip_prefix("$ varsel -c varsel.toml ") {
            let words: Vec<&str> = command.split(' ').collect();
            if words == ["run"] {
                house.take_the_baseline();
                continue;
            }
            let output = house.run(&words);
            let lines = format!("{}{}", stdout(&output), stderr(&output));
            printed = lines.lines().rev().map(plain).collect();
            ended = Some(code(&output));
        } else if let Some(exit) = line.strip_prefix("(exit ") {
            assert_eq!(ended, exit.trim_end_matches(')').parse().ok(), "{block}");
        } else if !line.starts_with('(') {
            let whole: Vec<String> = printed.iter().rev().cloned().collect();
            let found = std::iter::from_fn(|| printed.pop()).any(|printed| printed.contains(&line));
            assert!(
                found,
                "it does not print\n  {line}\nin\n{}",
                whole.join("\n")
            );
        }
    }
}

#[tokio::test]
async fn the_walk_through_leads_where_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONNECT.md");
    let page = fs::read_to_string(page).unwrap();
    let house = House::build().await;
    let (mut statements, mut pages, mut sessions) = (0, 0, 0);
    for (kind, block) in blocks(&page) {
        match kind {
            "sql" => {
                execute(&house, block).await;
                statements += 1;
            }
            "toml varsel.toml" => {
                house.write(
                    "varsel.toml",
                    &format!("{block}\n[http]\nlisten = \"127.0.0.1:0\"\n"),
                );
                pages += 1;
            }
            "console" => {
                type_in(&house, block).await;
                sessions += 1;
            }
            other => panic!("nobody carries out a block of {other:?}"),
        }
    }
    assert_eq!((statements, pages, sessions), (2, 2, 4));
}
