//! Request bodies: bounded in size, in time and in number.

use super::limit::{Peer, Place, Uploads};
use super::problem::{Kind, Problem};
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Who sent a request, by its connection.
pub(super) fn peer_of(address: Option<std::net::SocketAddr>) -> Peer {
    // A connection without an address is gone already; all of them are one peer.
    Peer::of(address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()))
}

/// Reads a body of octets. The stated length is looked at before anything is read, so that what is too large costs
/// nothing; the place is held for as long as the caller needs the bytes' memory.
pub(super) async fn octets(
    request: &HttpRequest,
    payload: Payload,
    bound: usize,
    within: Duration,
    uploads: &Arc<Uploads>,
) -> Result<(Bytes, Place), Problem> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(kind) = header(CONTENT_TYPE)
        && !kind.trim_start().to_ascii_lowercase().starts_with("application/octet-stream")
    {
        let detail = "the body has to be application/octet-stream";
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let stated = header(CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok());
    if stated.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > bound)) {
        return Err(Problem::too_large(bound));
    }
    let place = uploads.place(peer_of(request.peer_addr())).ok_or_else(|| {
        Problem::new(Kind::Overloaded, "too many bodies are on their way: send it again later")
    })?;
    let read = timeout(within, payload.to_bytes_limited(bound)).await;
    let Ok(read) = read else {
        let detail = format!("the body was not there within {} ms", within.as_millis());
        return Err(Problem::new(Kind::TooSlow, detail));
    };
    let whole = read.map_err(|_| Problem::too_large(bound))?;
    let bytes =
        whole.map_err(|_| Problem::new(Kind::BadRequest, "the body broke off or has no valid form"))?;
    Ok((bytes, place))
}
