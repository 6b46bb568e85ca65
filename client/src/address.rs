//! Addresses of nodes, and the date in the head of an answer.

use super::error::ClientError;
use reqwest::Url;
use veilgrid_market::timestamp::parse_rfc3339;

/// Checks that an address is one that a [`Client`](crate::Client) calls.
///
/// # Errors
/// [`ClientError::Address`].
pub fn check_address(base_url: &str) -> Result<(), ClientError> {
    parse_base(base_url).map(|_| ())
}

pub(super) fn parse_base(base_url: &str) -> Result<Url, ClientError> {
    let refuse = |why: &str| ClientError::Address { url: base_url.to_owned(), why: why.to_owned() };
    let mut base = Url::parse(base_url).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(refuse("it begins neither with http:// nor with https://"));
    }
    if base.host_str().is_none() {
        return Err(refuse("it names no host"));
    }
    let named = !base.username().is_empty() || base.password().is_some();
    if base.query().is_some() || base.fragment().is_some() || named {
        return Err(refuse("it has more than a host, a port and a path"));
    }
    if !base.path().ends_with('/') {
        // Without it, joining would replace the last part of the path.
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

/// The one form in which servers write dates (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse_http_date(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = date.split_once(", ")?.1.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)?.saturating_add(1);
    let instant = parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()?;
    u64::try_from(instant).ok().filter(|_| zone == "GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_servers_are_read() {
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for wrong in [
            "",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_checked_and_paths_kept() {
        assert_eq!(parse_base("http://127.0.0.1:81").expect("fine").as_str(), "http://127.0.0.1:81/");
        assert_eq!(
            parse_base("https://a/b").expect("fine").join("v1/x").expect("joined").as_str(),
            "https://a/b/v1/x"
        );
        for wrong in ["ftp://a", "a:81", "http://", "http://u@a", "http://:p@a", "http://a/?q", "http://a/#f"]
        {
            assert!(parse_base(wrong).is_err(), "{wrong}");
        }
    }
}
