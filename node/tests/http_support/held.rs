//! Connections that a test holds, plain and over TLS alike.

use super::{tls_files, tls_options};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Plain,
    Tls,
}

impl Speaks {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Tls];

    pub fn tls_files(self) -> Option<(PathBuf, PathBuf)> {
        tls_options().tls.filter(|_| self == Self::Tls)
    }

    pub fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Tls => "https",
        }
    }
}

/// A connection.
pub struct Held {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Held {
    /// Connects from an address of this machine, to the end of the handshake. One that is refused is held like any other.
    pub fn open(speaks: Speaks, from: [u8; 4], to: SocketAddr) -> Self {
        let socket = silent(from, to);
        let tls = (speaks == Speaks::Tls).then(client);
        let mut held = Self { socket, tls };
        while held.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            if held.send().and_then(|()| held.receive()).is_err() {
                break;
            }
        }
        // The last message of the handshake is ours.
        let _ = held.send();
        held
    }

    /// Sends what TLS has to send.
    fn send(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Takes what has come, and waits until something has.
    fn receive(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if tls.read_tls(&mut self.socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets().map(drop).map_err(io::Error::other)
    }

    /// How long it waits when it reads.
    pub fn wait_at_most(&self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).expect("set");
    }
}

/// A connection from an address of this machine on which nothing is ever sent.
pub fn silent(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("bound");
    socket.connect(&to.into()).expect("connected");
    socket.into()
}

fn client() -> ClientConnection {
    let mut trusted = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(tls_files().0).expect("PEM");
    trusted.add(certificate).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

impl Read for Held {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else { return self.socket.read(bytes) };
            match tls.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                read => return read,
            }
        }
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.write(bytes) };
        let written = tls.writer().write(bytes)?;
        self.send()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
