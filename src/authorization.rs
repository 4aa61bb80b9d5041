//! `Authorization: Bearer …` of a request that comes in (RFC 6750 §2.1).

use http::header::{AUTHORIZATION, HeaderMap};

/// Why a request presents no token. It is a public error elsewhere, which this module can't import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBearer {
    /// It has no `Authorization` header, or one of another scheme.
    Missing,
    /// What comes after `Bearer` isn't a token.
    Malformed,
    /// It has several of these headers.
    Repeated,
}

/// The token of the one `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, NoBearer> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(NoBearer::Missing)?;
    if values.next().is_some() {
        return Err(NoBearer::Repeated);
    }
    let value = value.as_bytes();
    // Whatever comes before and after the word, the request means to present a token: no cookie speaks for it.
    let scheme = value.trim_ascii_start().split(|byte| !is_in_scheme(*byte)).next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(NoBearer::Missing);
    }
    let rest = value.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(b" "));
    let token = rest.and_then(|rest| str::from_utf8(rest).ok()).unwrap_or_default().trim_start_matches(' ');
    if is_b64token(token) { Ok(token) } else { Err(NoBearer::Malformed) }
}

/// Whether a bearer token has the form of a signed one (RFC 7515 §7.1). An API key has not.
pub(crate) fn is_signed(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// `tchar` (RFC 9110 §5.6.2), of which names of schemes are made.
fn is_in_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `b64token` (RFC 6750 §2.1).
pub(crate) fn is_b64token(text: &str) -> bool {
    let characters = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !characters.is_empty() && characters.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn one_header_with_one_token_is_read() {
        for (value, token) in [
            ("Bearer abc", "abc"),
            ("bearer abc", "abc"),
            ("BEARER  a-._~+/9==", "a-._~+/9=="),
            ("Bearer sk_live_1", "sk_live_1"),
        ] {
            assert_eq!(bearer(&headers(&[value.as_bytes()])), Ok(token), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(bearer(&HeaderMap::new()), Err(NoBearer::Missing));
        assert_eq!(bearer(&headers(&[b"Bearer a", b"Bearer a"])), Err(NoBearer::Repeated));
        assert_eq!(bearer(&headers(&[b"Basic a", b"Bearer a"])), Err(NoBearer::Repeated));
        for value in
            [&b""[..], b"Basic abc", b"Basic\ta", b"Bearers abc", b"Bearer-a a", b"Basic Bearer a", b"abc", b"\xe4 a"]
        {
            assert_eq!(bearer(&headers(&[value])), Err(NoBearer::Missing), "{value:?}");
        }
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer a=b",
            b"Bearer a ",
            b"Bearer \"a\"",
            b" Bearer a",
            b"\tBearer a",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer,a",
            b"Bearer=a",
            b"Bearer\xa0a",
            b"Bearer \xe4",
        ] {
            assert_eq!(bearer(&headers(&[value])), Err(NoBearer::Malformed), "{value:?}");
        }
    }
}
