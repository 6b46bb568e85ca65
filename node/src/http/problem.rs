//! Refusals in the form of RFC 9457 (`application/problem+json`).

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use std::fmt;
use std::time::Duration;
use veilgrid_actors::aggregator::{BidRefusal, KeepError};
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::relay::RelayError;
use veilgrid_roles::intake::IntakeError;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $title:literal;)*) => {
        /// The kinds of refusals. Their names are part of the API: `urn:veilgrid:problem:<name>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// The name in the URN and in the metrics.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }
            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                let code: u16 = match self { $(Self::$name => $status,)* };
                // All of them are between 400 and 503.
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            /// The kind in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// The request is none of this API.
    BadRequest = "bad-request", 400, "The request can't be read";
    /// An envelope that does not open or holds no bid of this market.
    BadEnvelope = "bad-envelope", 400, "The envelope holds no bid of this market";
    /// The bytes are not signed by whom they name.
    BadSignature = "bad-signature", 403, "The signature is not the named sender's";
    /// The account is not a member's.
    NotAMember = "not-a-member", 403, "The account is not a member's";
    /// No such resource here.
    NotFound = "not-found", 404, "There is no such thing here";
    /// The resource is there and does not take this method.
    MethodNotAllowed = "method-not-allowed", 405, "The method does nothing here";
    /// The body did not come in time.
    TooSlow = "too-slow", 408, "The request did not come in time";
    /// Another bid stands in its place.
    Conflict = "conflict", 409, "Another bid is there already";
    /// The round is over.
    RoundOver = "round-over", 410, "The round takes no bids any more";
    /// The body is too large.
    TooLarge = "too-large", 413, "The request is too large";
    /// The proof is false.
    InvalidProof = "invalid-proof", 422, "The bid's proof is false";
    /// The transaction is refused.
    RefusedTransaction = "refused-transaction", 422, "The transaction is refused";
    /// The round is not open yet.
    TooEarly = "too-early", 425, "The round is not open yet";
    /// Too many requests from this address.
    RateLimited = "rate-limited", 429, "Too many requests from this address";
    /// The account has sent too many false proofs in this round.
    QuotaExhausted = "quota-exhausted", 429, "The account has used up its quota of the round";
    /// Other bids of the account wait.
    TooManyWaiting = "too-many-waiting", 429, "Other bids of the account wait for their verdict";
    /// The keys of the market are not generated yet.
    KeysNotReady = "keys-not-ready", 503, "The market's keys are not generated yet";
    /// The node has more to do than it can.
    Overloaded = "overloaded", 503, "The node is overloaded";
    /// The bid is valid and was not kept.
    NotKept = "not-kept", 503, "The bid was not kept";
    /// The node is ending or a part of it is gone.
    Unavailable = "unavailable", 503, "The node does not answer this now";
}

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    retry_after: Option<Duration>,
    /// The methods that the resource takes.
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
}

impl Problem {
    /// A refusal of this kind, in words that say what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let busy = kind.status() == StatusCode::SERVICE_UNAVAILABLE;
        let retry_after = (busy || kind == Kind::TooManyWaiting).then_some(Duration::from_secs(1));
        Self { kind, detail: detail.into(), retry_after, allow: None }
    }

    pub(super) fn rate_limited(wait: Duration) -> Self {
        let detail = "this address asks for more than its share: wait as Retry-After says";
        Self { retry_after: Some(wait), ..Self::new(Kind::RateLimited, detail) }
    }

    pub(super) fn wrong_method(allow: &'static str) -> Self {
        let detail = format!("methods that do something here: {allow}");
        Self { allow: Some(allow), ..Self::new(Kind::MethodNotAllowed, detail) }
    }

    pub(super) fn too_large(bound: usize) -> Self {
        Self::new(Kind::TooLarge, format!("the body may have {bound} bytes at most"))
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        // Names this very occurrence in the answer and in the log, and tells nobody how many there are.
        let instance = format!("urn:veilgrid:occurrence:{:016x}", OsRng.next_u64());
        tracing::debug!(kind = self.kind.slug(), detail = %self.detail, %instance, "request refused");
        let body = Body {
            kind: format!("urn:veilgrid:problem:{}", self.kind.slug()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            instance,
        };
        let mut response = HttpResponse::build(self.kind.status());
        if let Some(wait) = self.retry_after {
            response.insert_header((RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        let mut response = response.json(body);
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response.extensions_mut().insert(self.kind);
        response
    }
}

impl From<BidRefusal> for Problem {
    fn from(refusal: BidRefusal) -> Self {
        Self::new(kind_of(&refusal), refusal.to_string())
    }
}

/// The kind of a bid's refusal.
pub(super) fn kind_of(refusal: &BidRefusal) -> Kind {
    match refusal {
        BidRefusal::Intake(error) => kind_of_intake(error),
        BidRefusal::NotKept(KeepError::TooLate) => Kind::RoundOver,
        BidRefusal::NotOrdered(_) | BidRefusal::NotKept(_) => Kind::NotKept,
        BidRefusal::NotVerified(_) | BidRefusal::Gone => Kind::Unavailable,
        BidRefusal::Overloaded { .. } => Kind::Overloaded,
        BidRefusal::RoundOver => Kind::RoundOver,
    }
}

fn kind_of_intake(error: &IntakeError) -> Kind {
    match error {
        IntakeError::Size { found, expected } if found > expected => Kind::TooLarge,
        IntakeError::Size { .. }
        | IntakeError::Envelope(_)
        | IntakeError::Malformed(_)
        | IntakeError::RoundMismatch { .. } => Kind::BadEnvelope,
        IntakeError::KeysNotReady => Kind::KeysNotReady,
        IntakeError::NotYetOpen { .. } => Kind::TooEarly,
        IntakeError::NotOpen { .. }
        | IntakeError::TooLate { .. }
        | IntakeError::Fault(BidFault::Round { .. }) => Kind::RoundOver,
        IntakeError::NotAMember { .. } => Kind::NotAMember,
        IntakeError::Conflict { .. } => Kind::Conflict,
        IntakeError::TooManyWaiting { .. } => Kind::TooManyWaiting,
        IntakeError::QuotaExhausted { .. } => Kind::QuotaExhausted,
        IntakeError::Fault(BidFault::Signature) => Kind::BadSignature,
        IntakeError::HandleRepeated { .. } | IntakeError::Fault(_) => Kind::InvalidProof,
        IntakeError::NumbersExhausted => Kind::Unavailable,
    }
}

impl From<RelayError> for Problem {
    fn from(error: RelayError) -> Self {
        let kind = match error {
            RelayError::Signature => Kind::BadSignature,
            RelayError::Malformed(_) | RelayError::OtherLedger | RelayError::Round { .. } => Kind::BadRequest,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_have_names_of_their_own() {
        let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        assert!(
            Kind::ALL.iter().all(|kind| kind.status().is_client_error() || kind.status().is_server_error())
        );
    }

    #[test]
    fn whoever_may_come_again_is_told_when() {
        let wait = |problem: &Problem| {
            let response = problem.error_response();
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("digits").to_owned())
        };
        assert_eq!(wait(&Problem::rate_limited(Duration::from_millis(1_001))).as_deref(), Some("2"));
        assert_eq!(wait(&Problem::new(Kind::Overloaded, "x")).as_deref(), Some("1"));
        assert_eq!(wait(&Problem::new(Kind::Conflict, "x")), None);
    }
}
