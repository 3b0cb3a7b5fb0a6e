//! TLS to the relay: whom we trust, and the handshake. There is no way to switch verification off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::SetupError;
use super::link::Stream;
use super::outcome::Broken;

/// The trust and the name that the relay's certificate must bear.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Trusts the authorities of `ca_file`, or those of the host where there is none.
    pub(super) fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| SetupError::Host(host.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Trust)?;
        let config = match ca_file {
            None => builder
                .with_platform_verifier()
                .map_err(SetupError::Trust)?,
            Some(file) => builder.with_root_certificates(pinned(file)?),
        };
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        Ok(Self { connector, name })
    }

    /// The handshake over a stream on which nothing was read ahead.
    pub(super) async fn wrap(
        &self,
        stream: Box<dyn Stream>,
        within: Duration,
    ) -> Result<Box<dyn Stream>, Broken> {
        match timeout(within, self.connector.connect(self.name.clone(), stream)).await {
            Err(_) => Err(Broken::Silent),
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(failure(&error)),
        }
    }
}

/// A certificate we do not trust is no network weather: waiting does not help.
fn failure(error: &io::Error) -> Broken {
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => Broken::Distrusted(error.to_string()),
        None => Broken::Lost(error.kind()),
    }
}

fn pinned(file: &Path) -> Result<RootCertStore, SetupError> {
    let unreadable = |problem: String| SetupError::CaFile {
        file: PathBuf::from(file),
        problem,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(e.to_string()))? {
        let certificate = certificate.map_err(|e| unreadable(e.to_string()))?;
        roots
            .add(certificate)
            .map_err(|e| unreadable(e.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(unreadable("it holds no certificate in PEM form".to_owned())),
        false => Ok(roots),
    }
}
