//! Refusals in the form of RFC 9457 (`application/problem+json`).

use serde::{Deserialize, Serialize};

/// Begins the name of every kind.
const URN: &str = "urn:veilgrid:problem:";
/// Most characters of a peer's text that go into a message or a log.
const MAX_TEXT: usize = 300;

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
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
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

/// A refusal. What a node sends is complete; what is read from elsewhere may lack anything, and its texts are the peer's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence in words.
    pub detail: String,
    /// A URI that names this occurrence, here and in the node's log.
    pub instance: String,
}

impl Problem {
    /// A refusal of this kind, in words that say what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{URN}{}", kind.slug()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            instance: String::new(),
        }
    }

    /// Reads a problem; bodies of another form become its detail. Texts are cut and lose their control characters.
    pub fn read(body: &[u8]) -> Self {
        let read = serde_json::from_slice::<Self>(body);
        let problem = read.unwrap_or_else(|_| Self {
            detail: String::from_utf8_lossy(body).into_owned(),
            ..Self::default()
        });
        Self {
            kind: tame(&problem.kind),
            title: tame(&problem.title),
            status: problem.status,
            detail: tame(&problem.detail),
            instance: tame(&problem.instance),
        }
    }

    /// The name of its kind, which may be one that this program does not know; none when it is no node's.
    pub fn slug(&self) -> Option<&str> {
        self.kind.strip_prefix(URN)
    }

    /// Its kind, when this program knows it. Other servers' statuses say nothing about a ledger.
    pub fn named(&self) -> Option<Kind> {
        let slug = self.slug()?;
        Kind::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }
}

/// Text from outside as it may be printed: nothing that moves a terminal's cursor, nothing long.
fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_have_names_of_their_own() {
        let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| (400..600).contains(&kind.status())));
    }

    #[test]
    fn problems_are_tamed() {
        let body = br#"{"type":"about:blank","title":"Conflict","detail":"a\u001b[2Jb","status":409}"#;
        let problem = Problem::read(body);
        assert_eq!((problem.title.as_str(), problem.detail.as_str()), ("Conflict", "a[2Jb"));
        assert_eq!((problem.status, problem.slug(), problem.named()), (409, None, None));
        assert_eq!(Problem::read(&[b'x'; 5000]).detail.len(), MAX_TEXT);
        assert_eq!(Problem::read(b"{\"detail\":").detail, "{\"detail\":");
    }

    #[test]
    fn what_a_node_sends_is_read_as_it_was_meant() {
        for kind in Kind::ALL {
            let sent = Problem::new(*kind, "why");
            let body = serde_json::to_vec(&sent).expect("JSON");
            let read = Problem::read(&body);
            assert_eq!((read.named(), &read), (Some(*kind), &sent));
        }
        let newer = Problem { kind: format!("{URN}of-tomorrow"), ..Problem::default() };
        assert_eq!((newer.slug(), newer.named()), (Some("of-tomorrow"), None));
    }
}
