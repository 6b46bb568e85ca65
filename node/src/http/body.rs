//! Request bodies: bounded in size, in time and in number.

use super::limit::{Peer, Place, Uploads};
use super::refusal::Refusal;
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use futures::StreamExt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use veilgrid_api::Kind;

/// Bodies up to this size get their stated length with the first chunk; a batch may state more than it sends.
const AT_ONCE_BYTES: usize = 1 << 20;

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
) -> Result<(Vec<u8>, Place), Refusal> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(kind) = header(CONTENT_TYPE)
        && !kind.trim_start().to_ascii_lowercase().starts_with("application/octet-stream")
    {
        let detail = "the body has to be application/octet-stream";
        return Err(Refusal::new(Kind::BadRequest, detail));
    }
    let stated = header(CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok());
    let stated = stated.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if stated.is_some_and(|length| length > bound) {
        return Err(Refusal::too_large(bound));
    }
    let place = uploads.place(peer_of(request.peer_addr())).ok_or_else(|| {
        Refusal::new(Kind::Overloaded, "too many bodies are on their way: send it again later")
    })?;
    let Ok(read) = timeout(within, collect(payload, stated.unwrap_or(0), bound)).await else {
        let detail = format!("the body was not there within {} ms", within.as_millis());
        return Err(Refusal::new(Kind::TooSlow, detail));
    };
    Ok((read?, place))
}

/// Collects a body in a buffer of its stated length. The framework's own collecting begins with 32 KiB a body: six
/// envelopes, for as long as a flood of them waits.
async fn collect(mut payload: Payload, stated: usize, bound: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|_| Refusal::new(Kind::BadRequest, "the body broke off or has no valid form"))?;
        if chunk.len() > bound.saturating_sub(bytes.len()) {
            return Err(Refusal::too_large(bound));
        }
        if let Some(rest) = stated.checked_sub(bytes.len()).filter(|_| stated <= AT_ONCE_BYTES) {
            // What grows chunk by chunk is up to twice as large.
            bytes.reserve_exact(rest);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
