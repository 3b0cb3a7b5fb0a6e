//! Where a booking system's database is: a file, or a server behind an address without a password.
//!
//! It prints what an operator wrote and never a password; it opens nothing.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The database that holds a booking system.
#[derive(Clone, Debug)]
pub enum Place {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Address),
    /// A MySQL or MariaDB server.
    Mysql(Address),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(address) | Self::Mysql(address) => f.write_str(&address.url),
        }
    }
}

/// A server and how to enter it. It prints without its password.
#[derive(Clone)]
pub struct Address {
    url: String,
    password: Option<SecretString>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Why an address is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// A password in an address ends up in process lists and logs.
    #[error("it holds a password: put that into a file, and name the file in password_file")]
    Password,
    /// It does not read as an address of this kind of database.
    #[error("it does not read as {0}")]
    Form(&'static str),
}

impl Address {
    /// Reads `postgres://USER@HOST:PORT/DATABASE`, with the driver's own parameters after a `?`.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn postgres(url: &str) -> Result<Self, AddressFault> {
        let form = "postgres://USER@HOST:PORT/DATABASE";
        Self::read(url, &["postgres://", "postgresql://"], form, |url| {
            url.parse::<PgConnectOptions>().is_ok()
        })
    }

    /// Reads `mysql://USER@HOST:PORT/DATABASE` (or `mariadb://`), likewise.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn mysql(url: &str) -> Result<Self, AddressFault> {
        let form = "mysql://USER@HOST:PORT/DATABASE";
        Self::read(url, &["mysql://", "mariadb://"], form, |url| {
            url.parse::<MySqlConnectOptions>().is_ok()
        })
    }

    fn read(
        url: &str,
        schemes: &[&str],
        form: &'static str,
        parses: impl Fn(&str) -> bool,
    ) -> Result<Self, AddressFault> {
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
        let authority = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or(rest));
        let user = authority.and_then(|authority| authority.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) || url.contains("password=") {
            return Err(AddressFault::Password);
        }
        if rest.is_none() || !parses(url) {
            return Err(AddressFault::Form(form));
        }
        Ok(Self {
            url: url.to_owned(),
            password: None,
        })
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: SecretString) -> Self {
        self.password = Some(password);
        self
    }

    pub(super) fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// What PostgreSQL's driver needs, but for the password. Where the address says nothing of TLS, a
    /// server on another machine must show a certificate that this machine trusts.
    pub(super) fn postgres_options(&self) -> PgConnectOptions {
        let options: PgConnectOptions = self.url.parse().expect("the address was read before");
        let local = options.get_socket().is_some() || is_local(options.get_host());
        if local || self.url.contains("sslmode=") || self.url.contains("ssl-mode=") {
            return options;
        }
        options.ssl_mode(PgSslMode::VerifyFull)
    }

    /// The same for MySQL's driver.
    pub(super) fn mysql_options(&self) -> MySqlConnectOptions {
        let options: MySqlConnectOptions = self.url.parse().expect("the address was read before");
        let local = options.get_socket().is_some() || is_local(options.get_host());
        if local || self.url.contains("sslmode=") || self.url.contains("ssl-mode=") {
            return options;
        }
        options.ssl_mode(MySqlSslMode::VerifyIdentity)
    }
}

fn is_local(host: &str) -> bool {
    let address: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || host.starts_with('/') || address.is_ok_and(|ip| ip.is_loopback())
}
