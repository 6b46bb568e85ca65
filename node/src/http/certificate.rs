//! When a certificate expires: the only thing of X.509 that is read here (RFC 5280, 4.1).

use veilgrid_market::timestamp::parse_rfc3339;

const SEQUENCE: u8 = 0x30;
/// The version, `[0]`; a certificate of version 1 has none.
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER, seconds since 1970 UTC; none when it is no certificate.
pub(super) fn expiry_unix_s(der: &[u8]) -> Option<i64> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        let tag = *rest.first()?;
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let not_before = *validity.first()?;
    let not_after = element(validity, not_before)?.1;
    match *not_after.first()? {
        UTC_TIME => {
            let text = std::str::from_utf8(element(not_after, UTC_TIME)?.0).ok()?;
            let year: u8 = text.get(..2)?.parse().ok()?;
            time(&format!("{}{text}", if year >= 50 { "19" } else { "20" }))
        }
        GENERALIZED_TIME => time(std::str::from_utf8(element(not_after, GENERALIZED_TIME)?.0).ok()?),
        _ => None,
    }
}

/// `YYYYMMDDHHMMSSZ`.
fn time(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let of_day = format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?);
    parse_rfc3339(&format!("{date}T{of_day}Z")).ok().filter(|_| text.get(14..) == Some("Z"))
}

/// The content of the element at the beginning, which has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        // Four bytes of length are more than any certificate has.
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use std::path::Path;

    #[test]
    fn a_real_certificate_says_when_it_expires() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/test-only-certificate.pem");
        let certificate = CertificateDer::from_pem_file(file).expect("PEM");
        // openssl x509 -enddate: Oct 27 09:04:24 2126 GMT
        assert_eq!(expiry_unix_s(&certificate), Some(4_948_765_464));
        for length in 0..certificate.len() {
            // Nothing is read beyond what is there.
            let _ = expiry_unix_s(&certificate[..length]);
        }
    }

    #[test]
    fn both_forms_of_times_are_read() {
        assert_eq!(time("19700101000010Z"), Some(10));
        assert_eq!(time("20500101000000Z"), Some(2_524_608_000));
        assert_eq!((time("20500101000000"), time("2050010100000Z"), time("")), (None, None, None));
    }
}
