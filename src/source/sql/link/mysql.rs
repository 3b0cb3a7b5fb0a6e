//! A MySQL or MariaDB server, entered with a session that cannot write.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::mysql::{MySql, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Executor, Row, SqlSafeStr, Statement};

use super::{Link, Named, Step, Take, stream};
use crate::source::SourceError;
use crate::source::sql::place::Address;

/// So many keys are looked up with one statement; the protocol ends at 65 535 parameters.
const KEYS_PER_STATEMENT: usize = 5_000;

/// What an account may have been granted without being able to write anything.
const HARMLESS: &[&str] = &[
    "USAGE",
    "SELECT",
    "SHOW VIEW",
    "SHOW DATABASES",
    "PROCESS",
    "REPLICATION CLIENT",
    "BINLOG MONITOR",
    "SLAVE MONITOR",
    "LOCK TABLES",
];

/// Errors that say that the query or the account does not fit the database: access denied to a
/// database, table, column or routine (1044, 1142, 1143, 1370), unknown database, table, column or
/// function (1049, 1146, 1054, 1305), wrong syntax (1064), ambiguous or doubled columns (1052, 1060).
const MISFITS: &[u16] = &[
    1044, 1049, 1052, 1054, 1060, 1064, 1142, 1143, 1146, 1305, 1370,
];

/// An open session.
pub(super) struct My {
    connection: MySqlConnection,
    named: Named,
    is_mariadb: bool,
}

impl My {
    pub(super) async fn open(
        address: &Address,
        named: Named,
        timeout: Duration,
    ) -> Result<Self, SourceError> {
        // The session behaves as the operator's own client does, but for the zone of TIMESTAMP
        // columns, which otherwise would be the server's.
        let mut options = address
            .mysql_options()
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone("+00:00".to_owned());
        if let Some(password) = address.password() {
            options = options.password(password.expose_secret());
        }
        let connection = options.disable_statement_logging().connect().await;
        let connection = connection.map_err(|error| explain(&named, &error))?;
        let mut session = Self {
            connection,
            named,
            is_mariadb: false,
        };
        let version = session.ask("SELECT VERSION()").await?;
        session.is_mariadb = version.to_ascii_lowercase().contains("mariadb");
        let limit = if session.is_mariadb {
            format!("SET SESSION max_statement_time = {}", timeout.as_secs_f64())
        } else {
            format!(
                "SET SESSION max_execution_time = {}",
                timeout.as_millis().max(1)
            )
        };
        session.run(limit).await?;
        session
            .run("SET SESSION TRANSACTION READ ONLY".to_owned())
            .await?;
        session.prove_read_only().await?;
        Ok(session)
    }

    async fn prove_read_only(&mut self) -> Result<(), SourceError> {
        let proof = if self.is_mariadb {
            "SELECT CAST(@@SESSION.tx_read_only AS CHAR)"
        } else {
            "SELECT CAST(@@SESSION.transaction_read_only AS CHAR)"
        };
        // One release says 1 of a switch, another ON.
        if matches!(self.ask(proof).await?.as_str(), "1" | "ON") {
            return Ok(());
        }
        Err(self.named.misfit(
            "the session can write although it was told not to; nothing is read from it. \
             Is a proxy in between that forgets settings? Connect to the server itself",
        ))
    }

    async fn ask(&mut self, sql: &'static str) -> Result<String, SourceError> {
        let answer = sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection)
            .await;
        answer.map_err(|error| explain(&self.named, &error))
    }

    async fn run(&mut self, sql: String) -> Result<(), SourceError> {
        match sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.connection)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(&self.named, &error)),
        }
    }
}

impl Link for My {
    fn is_current(&mut self) -> Step<'_, bool> {
        Box::pin(async { Ok(true) })
    }

    fn columns(&mut self, probe: String) -> Step<'_, Vec<String>> {
        Box::pin(async {
            let probe = AssertSqlSafe(probe).into_sql_str();
            let statement = self.connection.prepare(probe).await;
            let statement = statement.map_err(|error| explain(&self.named, &error))?;
            Ok(statement
                .columns()
                .iter()
                .map(|c| c.name().to_owned())
                .collect())
        })
    }

    fn quoted(&self, column: &str) -> String {
        format!("q.`{}`", column.replace('`', "``"))
    }

    fn as_text(&self, quoted: &str) -> String {
        format!("CAST({quoted} AS CHAR)")
    }

    fn begin(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async {
            let isolation = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
            self.run(isolation.to_owned()).await?;
            let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
            self.run(begin.to_owned()).await?;
            Ok(None)
        })
    }

    fn end(&mut self) -> Step<'_, ()> {
        Box::pin(self.run("COMMIT".to_owned()))
    }

    fn rows<'a>(&'a mut self, sql: String, width: usize, take: Take<'a>) -> Step<'a, ()> {
        let explain = |error| explain(&self.named, &error);
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.connection);
        Box::pin(stream::<MySql>(rows, explain, width, take))
    }

    /// The keys are compared byte by byte: this server's usual collations know no capitals.
    fn rows_of<'a>(
        &'a mut self,
        sql: String,
        id: String,
        keys: Vec<String>,
        width: usize,
        take: Take<'a>,
    ) -> Step<'a, ()> {
        Box::pin(async move {
            for keys in keys.chunks(KEYS_PER_STATEMENT) {
                let marks = vec!["?"; keys.len()].join(", ");
                let sql = format!("{sql} WHERE CAST({id} AS BINARY) IN ({marks})");
                let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
                for key in keys {
                    query = query.bind(key.as_bytes());
                }
                let explain = |error| explain(&self.named, &error);
                let rows = query.fetch(&mut self.connection);
                stream::<MySql>(rows, explain, width, &mut *take).await?;
            }
            Ok(())
        })
    }

    fn now(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async {
            let now = sqlx::query_scalar("SELECT CAST(UNIX_TIMESTAMP() AS SIGNED)");
            let now: i64 = now
                .fetch_one(&mut self.connection)
                .await
                .map_err(|error| explain(&self.named, &error))?;
            Ok(Some(now))
        })
    }

    fn explain(&mut self, sql: String) -> Step<'_, Vec<String>> {
        Box::pin(async move {
            let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
            let rows = sqlx::query(sql).fetch_all(&mut self.connection).await;
            let rows = rows.map_err(|error| explain(&self.named, &error))?;
            Ok(rows.iter().map(step).collect())
        })
    }

    fn may_write(&mut self) -> Step<'_, Option<String>> {
        Box::pin(async {
            let grants = sqlx::query_scalar("SHOW GRANTS FOR CURRENT_USER()");
            let grants: Vec<String> = grants
                .fetch_all(&mut self.connection)
                .await
                .map_err(|error| explain(&self.named, &error))?;
            Ok(grants.iter().find_map(|grant| harmful(grant)))
        })
    }
}

/// One step of a plan: the table, how it is entered, by which key, and how many rows it may take.
fn step(row: &MySqlRow) -> String {
    let text = |name: &str| row.try_get_unchecked::<Option<String>, _>(name);
    let text = |name: &str| text(name).ok().flatten();
    let rows = row.try_get_unchecked::<Option<i64>, _>("rows");
    let mut said = text("table").unwrap_or_else(|| "(no table)".to_owned());
    for (name, word) in [("type", " by "), ("key", " with ")] {
        if let Some(value) = text(name) {
            said.push_str(&format!("{word}{value}"));
        }
    }
    if let Ok(Some(rows)) = rows {
        said.push_str(&format!(", about {rows} rows"));
    }
    said
}

/// The part of a line of SHOW GRANTS that lets the account write: `GRANT a, b ON object TO ...`.
fn harmful(grant: &str) -> Option<String> {
    let (privileges, rest) = grant.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let object = rest.split(" TO ").next().unwrap_or(rest).replace('`', "");
    // Columns in brackets may follow a privilege: SELECT (`id`, `start`).
    let mut depth = 0_i32;
    let outside = |c: &char| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0 && *c != ')'
    };
    let plain: String = privileges.chars().filter(outside).collect();
    let mut words = plain.split(',').map(str::trim);
    let harm = words.find(|word| !HARMLESS.contains(word))?;
    Some(format!("{object} ({harm})"))
}

/// Says what the server says, where that cannot repeat a value of a row.
fn explain(named: &Named, error: &sqlx::Error) -> SourceError {
    let Some(fault) = error.as_database_error() else {
        return named.unavailable(error.to_string());
    };
    let number = fault
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number);
    let said = fault.message();
    let code = fault.code().unwrap_or_default().into_owned();
    if MISFITS.contains(&number) {
        return named.misfit(format!("the query does not fit the database: {said}"));
    }
    // 08 and 28: connecting and entering; 25: the session cannot write; 70: the statement was ended.
    match code.get(..2) {
        Some("08" | "25" | "28" | "70") => {
            named.unavailable(format!("the server says: {said} (error {number})"))
        }
        _ => named.unavailable(format!(
            "the query fails (error {number}, SQLSTATE {code}); what the server says of it is not \
             repeated, since it may be personal"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::harmful;

    #[test]
    fn a_grant_that_lets_write_is_named_with_its_object() {
        for (grant, expected) in [
            ("GRANT USAGE ON *.* TO `varsel`@`%`", None),
            ("GRANT SELECT, SHOW VIEW ON `ea`.* TO `varsel`@`%`", None),
            ("GRANT SELECT (`id`, `start`) ON `ea`.`t` TO `v`@`%`", None),
            (
                "GRANT SELECT, INSERT ON `ea`.* TO `v`@`%`",
                Some("ea.* (INSERT)"),
            ),
            (
                "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`",
                Some("*.* (ALL PRIVILEGES)"),
            ),
            (
                "GRANT UPDATE (`a`, `b`), SELECT ON `ea`.`t` TO `v`@`%`",
                Some("ea.t (UPDATE)"),
            ),
        ] {
            assert_eq!(harmful(grant).as_deref(), expected, "{grant}");
        }
    }
}
