//! An address that is taken, with room for the connections that all members open at once when a round begins.

use socket2::SockRef;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that may wait until they are accepted. The standard library's queue has 128.
const BACKLOG: i32 = 512;

/// Takes an address.
///
/// # Errors
/// What the system says: it is taken, or not this machine's.
pub(super) fn listening(listen: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(listen)?;
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::Duration;

    #[test]
    fn a_burst_of_connections_waits_and_is_not_turned_away() {
        let listener = listening((Ipv4Addr::LOCALHOST, 0).into()).expect("an address");
        let address = listener.local_addr().expect("it has one");
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(700));
        let waiting: Vec<TcpStream> = (0..300).map_while(|number| connect(number).ok()).collect();
        assert_eq!(waiting.len(), 300, "nobody accepts, and all are connected");
    }
}
