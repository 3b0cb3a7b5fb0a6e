//! A real MariaDB, made by the tests for themselves: one server for all tests of a run, with a database of its own for
//! each.
//!
//! Its data lies in a temporary folder and is reached by a socket there, so no port is taken; it runs as a user of its
//! own, and every commit reaches the disk. It ends with the test process, however that ends: it reads its orders from a
//! pipe, and where the pipe ends, so does the server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::servers::{Server, in_root};

/// Makes a data folder as the user that MariaDB wants, starts the server, and waits until nobody needs it.
const SCRIPT: &str = r#"
dir=$1
chown mysql "$dir"
as() { setpriv --reuid mysql --regid mysql --init-groups "$@" </dev/null >>"$dir/log" 2>&1; }
as mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
  || tail -n 20 "$dir/log"
as mariadbd --no-defaults --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --skip-networking \
  --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=64M --max-connections=200 &
server=$!
tries=0
until mariadb --no-defaults -u root --socket="$dir/socket" -e 'SELECT 1' >/dev/null 2>&1; do
  kill -0 $server 2>/dev/null && [ $((tries += 1)) -le 600 ] || { echo failed; tail -n 20 "$dir/log"; exit 1; }
  sleep 0.1
done
echo ready
cat >/dev/null
kill -9 $server
rm -rf "$dir"
"#;

/// The account that the tests' sources read with, and its password.
pub(crate) const READER: (&str, &str) = ("varsel_ro", "read only");

/// A running server.
struct MariaDb {
    folder: PathBuf,
    databases: AtomicU32,
    _server: Server,
    /// The server lives as long as these pipes.
    _pipes: (ChildStdin, BufReader<ChildStdout>),
}

static SHARED: LazyLock<MariaDb> = LazyLock::new(MariaDb::start);

/// One empty database.
pub(crate) struct Db {
    pub(crate) name: String,
    folder: PathBuf,
}

/// A new database on the server that all tests share, which [`READER`] may read.
pub(crate) async fn database() -> Db {
    let server = &*SHARED;
    let name = format!("t{}", server.databases.fetch_add(1, Ordering::Relaxed));
    let (user, password) = READER;
    let db = Db {
        name: name.clone(),
        folder: server.folder.clone(),
    };
    let mut root = connect(&db.folder, None).await;
    for sql in [
        format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        format!("CREATE USER IF NOT EXISTS {user}@localhost IDENTIFIED BY '{password}'"),
        format!("GRANT SELECT ON {name}.* TO {user}@localhost"),
    ] {
        run(&mut root, &sql).await;
    }
    root.close().await.unwrap();
    db
}

impl MariaDb {
    fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("varsel-my-")
            .tempdir()
            .unwrap()
            .keep();
        let mut command = in_root("sh");
        command.args(["-c", SCRIPT, "mariadb"]).arg(&folder);
        let (server, orders, said) = Server::start_talking(&mut command);
        let mut said = BufReader::new(said);
        let mut heard = String::new();
        while !heard.ends_with("ready\n") {
            let more = said.read_line(&mut heard).unwrap();
            assert!(
                more > 0,
                "MariaDB ended (does tests/servers/fetch find everything?): {heard}"
            );
        }
        Self {
            folder,
            databases: AtomicU32::new(0),
            _server: server,
            _pipes: (orders, said),
        }
    }
}

impl Db {
    /// Its address, for an account without a password or with one beside it.
    pub(crate) fn url(&self, user: &str) -> String {
        let socket = self.folder.join("socket");
        format!(
            "mysql://{user}@localhost/{}?socket={}",
            self.name,
            socket.display()
        )
    }

    /// A connection that may do everything.
    pub(crate) async fn root(&self) -> MySqlConnection {
        connect(&self.folder, Some(&self.name)).await
    }
}

async fn connect(folder: &Path, database: Option<&str>) -> MySqlConnection {
    let mut options = MySqlConnectOptions::new()
        .socket(folder.join("socket"))
        .username("root");
    if let Some(database) = database {
        options = options.database(database);
    }
    options.connect().await.unwrap()
}

/// Runs statements, separated by semicolons.
pub(crate) async fn run(connection: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}
