//! A PostgreSQL server, entered with a session that cannot write.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Executor, SqlSafeStr, Statement};

use super::{Link, Named, Step, Take, stream};
use crate::source::SourceError;
use crate::source::sql::place::Address;

/// Tables of this database that the account could write to, were its session not read-only.
const WRITABLE: &str = "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
      AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    ORDER BY 1 LIMIT 1";

/// An open session.
pub(super) struct Pg {
    connection: PgConnection,
    named: Named,
}

impl Pg {
    pub(super) async fn open(
        address: &Address,
        named: Named,
        timeout: Duration,
    ) -> Result<Self, SourceError> {
        let mut options = address.postgres_options().application_name("varsel");
        if let Some(password) = address.password() {
            options = options.password(password.expose_secret());
        }
        let connection = options.disable_statement_logging().connect().await;
        let connection = connection.map_err(|error| explain(&named, &error))?;
        let mut session = Self { connection, named };
        let millis = timeout.as_millis().max(1);
        // Set after entering and not while entering: a pooler in between refuses the latter.
        let settings = format!(
            "SET default_transaction_read_only = on; SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD';
             SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}"
        );
        session.run(settings).await?;
        session.prove_read_only().await?;
        Ok(session)
    }

    async fn prove_read_only(&mut self) -> Result<(), SourceError> {
        let proof = sqlx::query_scalar("SELECT current_setting('transaction_read_only')");
        let proof: String = proof
            .fetch_one(&mut self.connection)
            .await
            .map_err(|error| explain(&self.named, &error))?;
        if proof == "on" {
            return Ok(());
        }
        Err(self.named.misfit(
            "the session can write although it was told not to; nothing is read from it. \
             Is a pooler in between that forgets settings? Connect to the server itself",
        ))
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

impl Link for Pg {
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
        format!("q.\"{}\"", column.replace('"', "\"\""))
    }

    fn as_text(&self, quoted: &str) -> String {
        format!("{quoted}::text")
    }

    fn begin(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
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
        Box::pin(stream::<Postgres>(rows, explain, width, take))
    }

    fn rows_of<'a>(
        &'a mut self,
        sql: String,
        id: String,
        keys: Vec<String>,
        width: usize,
        take: Take<'a>,
    ) -> Step<'a, ()> {
        let sql = format!("{sql} WHERE {id} = ANY($1)");
        let explain = |error| explain(&self.named, &error);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(keys);
        let rows = query.fetch(&mut self.connection);
        Box::pin(stream::<Postgres>(rows, explain, width, take))
    }

    fn now(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async {
            let now = sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::bigint");
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
            let plan = sqlx::query_scalar(sql).fetch_all(&mut self.connection);
            plan.await.map_err(|error| explain(&self.named, &error))
        })
    }

    fn may_write(&mut self) -> Step<'_, Option<String>> {
        Box::pin(async {
            let table = sqlx::query_scalar(WRITABLE);
            let table: Option<String> = table
                .fetch_optional(&mut self.connection)
                .await
                .map_err(|error| explain(&self.named, &error))?;
            Ok(table.map(|table| format!("the table {table}")))
        })
    }
}

/// Says what the server says, unless it may repeat a value of a row: its class 22 does
/// (PostgreSQL, appendix A).
fn explain(named: &Named, error: &sqlx::Error) -> SourceError {
    let Some(fault) = error.as_database_error() else {
        return named.unavailable(error.to_string());
    };
    let code = fault.code().unwrap_or_default();
    let said = fault.message();
    match code.get(..2) {
        Some("42") => named.misfit(format!("the query does not fit the database: {said}")),
        Some("08" | "0A" | "25" | "28" | "3D" | "40" | "53" | "55" | "57") => {
            named.unavailable(format!("the server says: {said} (SQLSTATE {code})"))
        }
        _ => named.unavailable(format!(
            "the query fails on a value of the database (SQLSTATE {code}); what the server says of \
             it is not repeated, since it may be personal"
        )),
    }
}
