//! Ports that nobody has.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports below those that systems give to outgoing connections, so that a restart finds its own free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// `count` ports that follow each other and that nobody has.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests of another run start elsewhere.
    let spread = u16::try_from(std::process::id() % 97).expect("small") * 120;
    loop {
        let offset =
            NEXT.fetch_add(count, Ordering::SeqCst).wrapping_add(spread) % (PORTS.end - PORTS.start - count);
        let base = PORTS.start + offset;
        let all: Result<Vec<_>, _> =
            (base..base + count).map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))).collect();
        if all.is_ok() {
            return base;
        }
    }
}
