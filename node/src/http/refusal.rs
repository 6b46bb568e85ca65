//! Refusals on their way out: a problem of the API with the headers that go with it.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use rand_core::{OsRng, RngCore};
use std::fmt;
use std::time::Duration;
use veilgrid_actors::aggregator::{BidRefusal, KeepError};
use veilgrid_api::{Kind, PROBLEM_JSON, Problem};
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::relay::RelayError;
use veilgrid_ledger::refusal::Refusal as Rule;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_roles::intake::IntakeError;

/// A refusal.
#[derive(Debug)]
pub struct Refusal {
    kind: Kind,
    detail: String,
    retry_after: Option<Duration>,
    /// The methods that the resource takes.
    allow: Option<&'static str>,
}

impl Refusal {
    /// A refusal of this kind, in words that say what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let busy = kind.status() == 503;
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        // All of them are between 400 and 503.
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        // Names this very occurrence in the answer and in the log, and tells nobody how many there are.
        let instance = format!("urn:veilgrid:occurrence:{:016x}", OsRng.next_u64());
        tracing::debug!(kind = self.kind.slug(), detail = %self.detail, %instance, "request refused");
        let body = Problem { instance, ..Problem::new(self.kind, self.detail.as_str()) };
        let mut response = HttpResponse::build(self.status_code());
        if let Some(wait) = self.retry_after {
            response.insert_header((RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        let mut response = response.json(body);
        let problem = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response.extensions_mut().insert(self.kind);
        response
    }
}

impl From<BidRefusal> for Refusal {
    fn from(refusal: BidRefusal) -> Self {
        Self::new(kind_of(&refusal), refusal.to_string())
    }
}

/// The kind of a bid's refusal.
pub(super) fn kind_of(refusal: &BidRefusal) -> Kind {
    match refusal {
        BidRefusal::Intake(error) => kind_of_intake(error),
        BidRefusal::NotKept(KeepError::TooLate) => Kind::RoundOver,
        BidRefusal::NotOrdered { .. } | BidRefusal::NotKept(_) => Kind::NotKept,
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
        IntakeError::Ledger(rule) => match **rule {
            Rule::Rounds(
                RoundRefusal::NotAMember { .. }
                | RoundRefusal::HasLeft { .. }
                | RoundRefusal::Suspended { .. }
                | RoundRefusal::CertificateDates { .. }
                | RoundRefusal::JoinedLater { .. },
            ) => Kind::NotAMember,
            Rule::Rounds(RoundRefusal::SecondBid { .. }) => Kind::Conflict,
            // A repeated R: whoever seals honestly never repeats one.
            _ => Kind::InvalidProof,
        },
        IntakeError::TooManyWaiting { .. } => Kind::TooManyWaiting,
        IntakeError::QuotaExhausted { .. } => Kind::QuotaExhausted,
        IntakeError::Fault(BidFault::Signature) => Kind::BadSignature,
        IntakeError::Fault(_) => Kind::InvalidProof,
        IntakeError::NumbersExhausted => Kind::Unavailable,
    }
}

impl From<RelayError> for Refusal {
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

    #[test]
    fn whoever_may_come_again_is_told_when() {
        let wait = |refusal: &Refusal| {
            let response = refusal.error_response();
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("digits").to_owned())
        };
        assert_eq!(wait(&Refusal::rate_limited(Duration::from_millis(1_001))).as_deref(), Some("2"));
        assert_eq!(wait(&Refusal::new(Kind::Overloaded, "x")).as_deref(), Some("1"));
        assert_eq!(wait(&Refusal::new(Kind::Conflict, "x")), None);
    }
}
