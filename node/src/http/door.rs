//! The address and the certificate of a server, before it starts.

use super::certificate::expiry_unix_s;
use super::listener::listening;
use super::options::{HttpError, HttpOptions};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

/// An address that is taken, with what a server there needs, before anything stands behind it.
///
/// Whoever has started actors can't go back: they end in a panic with their runtime. So the address and the certificate
/// are looked at before.
pub struct Door {
    pub(super) options: HttpOptions,
    pub(super) listener: TcpListener,
    pub(super) tls: Option<ServerConfig>,
    certificate_expires_unix_s: Option<i64>,
}

impl Door {
    /// Takes the address and reads certificate and key. Whoever connects waits until the server starts.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn open(options: HttpOptions) -> Result<Self, HttpError> {
        let listen = options.listen;
        let (tls, certificate_expires_unix_s) = match &options.tls {
            None => (None, None),
            Some((certificate, key)) => {
                let (config, expires_unix_s) = tls_config(certificate, key)?;
                (Some(config), expires_unix_s)
            }
        };
        let listener = listening(listen).map_err(|source| HttpError::Listen { listen, source })?;
        Ok(Self { options, listener, tls, certificate_expires_unix_s })
    }

    pub(super) fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// When its certificate expires, seconds since 1970 UTC; none without one, or when it does not say so in a known form.
    pub fn certificate_expires_unix_s(&self) -> Option<i64> {
        self.certificate_expires_unix_s
    }
}

/// The configuration, and when the certificate expires.
fn tls_config(certificate: &Path, key: &Path) -> Result<(ServerConfig, Option<i64>), HttpError> {
    let refuse = |path: &Path, why: String| HttpError::Tls { path: path.to_path_buf(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(certificate, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| refuse(key, error.to_string()))?;
    let expires_unix_s = chain.first().and_then(|own| expiry_unix_s(own));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| refuse(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, expires_unix_s))
}
