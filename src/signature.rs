//! The header `WorkOS-Signature` of webhooks and Actions, and what it is made with.

use std::time::Duration;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, Tag};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::wire;

const HEADER: &str = "workos-signature";
/// A time in milliseconds has had more digits since 1973, and a time in seconds will have no more until 5138.
const DIGITS_OF_SECONDS: usize = 11;
/// The digits of the last time that can be represented, in milliseconds.
const MAX_DIGITS: usize = 15;
const MAC_BYTES: usize = 32;

/// Why a request isn't taken for one of WorkOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    Missing,
    Repeated,
    Malformed,
    Wrong,
    TooOld,
    TooNew,
}

/// A signature whose form is right.
#[derive(Debug)]
pub(crate) struct Signature<'a> {
    /// The time as it was signed.
    signed_time: &'a str,
    time: Timestamp,
    mac: [u8; MAC_BYTES],
}

/// Reads the header: `t` and `v1`, each once and in this order, then perhaps signatures of later versions.
pub(crate) fn parse(headers: &HeaderMap) -> Result<Signature<'_>, SignatureError> {
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next().ok_or(SignatureError::Missing)?;
    if values.next().is_some() {
        return Err(SignatureError::Repeated);
    }
    value.to_str().ok().and_then(read).ok_or(SignatureError::Malformed)
}

fn read(value: &str) -> Option<Signature<'_>> {
    let mut parts = value.split(',').map(|part| part.trim_matches([' ', '\t']));
    let signed_time = parts.next()?.strip_prefix("t=")?;
    let mac = mac(parts.next()?.strip_prefix("v1=")?)?;
    let mut version = 1;
    for part in parts {
        let (name, signature) = part.split_once('=')?;
        // In ascending order, so that none is there twice.
        let later = number(name.strip_prefix('v')?, 2)?;
        if later <= version || signature.is_empty() || !signature.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        version = later;
    }
    Some(Signature { signed_time, time: time(signed_time)?, mac })
}

/// WorkOS writes milliseconds. The vendor's emulator writes seconds.
fn time(text: &str) -> Option<Timestamp> {
    let number = number(text, MAX_DIGITS)?;
    let time = if text.len() <= DIGITS_OF_SECONDS { Timestamp::from_second } else { Timestamp::from_millisecond };
    time(number).ok()
}

/// A positive number in its one form: no sign, no zero in front.
fn number(text: &str, max_digits: usize) -> Option<i64> {
    let is_number = (1..=max_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && !text.starts_with('0') { text.parse().ok() } else { None }
}

fn mac(text: &str) -> Option<[u8; MAC_BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * MAC_BYTES {
        return None;
    }
    let mut mac = [0; MAC_BYTES];
    for (byte, pair) in mac.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(mac)
}

impl Signature<'_> {
    /// Checks the signature, then its time, and says which secret made it. The time of a request that somebody made up says nothing.
    ///
    /// `tolerance` is how old the signature may be, and how far in the future.
    pub(crate) fn verify<'s, S: ExposeSecret<str>>(
        &self,
        secrets: &'s [S],
        body: &[u8],
        tolerance: Duration,
        now: Timestamp,
    ) -> Result<&'s S, SignatureError> {
        let mut right = None;
        // Every secret is tried, so that the time doesn't tell which one it was.
        for secret in secrets {
            let computed = computed(secret, self.signed_time, body);
            if computed.as_ref().ct_eq(&self.mac).into() {
                right = Some(secret);
            }
        }
        let secret = right.ok_or(SignatureError::Wrong)?;
        let age = now.duration_since(self.time);
        if age.unsigned_abs() <= tolerance {
            Ok(secret)
        } else if age.is_positive() {
            Err(SignatureError::TooOld)
        } else {
            Err(SignatureError::TooNew)
        }
    }
}

/// HMAC-SHA256 of the time, a dot, and the body.
fn computed(secret: &impl ExposeSecret<str>, time: &str, body: &[u8]) -> Tag {
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, wire::text(secret).as_bytes()));
    for part in [time.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}

/// The signature of a body at this time, in milliseconds, in hexadecimal.
pub(crate) fn signature(secret: &impl ExposeSecret<str>, milliseconds: i64, body: &[u8]) -> String {
    wire::hex(computed(secret, &milliseconds.to_string(), body).as_ref())
}

/// The header's value, as WorkOS writes it.
#[cfg(feature = "testing")]
pub(crate) fn header(secret: &impl ExposeSecret<str>, body: &[u8], now: Timestamp) -> String {
    let time = now.as_millisecond();
    format!("t={time}, v1={}", signature(secret, time, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::WebhookSecret;

    const MAC: &str = "00ff102030405060708090a0b0c0d0e0f0123456789abcdef0123456789abcde";

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER.parse().unwrap(), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn a_header_is_read_in_its_one_form() {
        let later = format!("t=1795815623000,v1={MAC},v2=abc,v10=DEF");
        for good in [format!("t=1795815623000, v1={MAC}"), format!(" t=1795815623000\t,v1={MAC} "), later] {
            let headers = with(&good);
            let signature = parse(&headers).expect(&good);
            assert_eq!(signature.signed_time, "1795815623000");
            assert_eq!(signature.time, Timestamp::from_millisecond(1_795_815_623_000).unwrap());
            assert_eq!(wire::hex(&signature.mac), MAC);
        }
        // The vendor's emulator.
        let headers = with(&format!("t=1795815623,v1={MAC}"));
        assert_eq!(parse(&headers).unwrap().time, Timestamp::from_second(1_795_815_623).unwrap());
    }

    #[test]
    fn anything_else_is_malformed() {
        let upper = MAC.to_uppercase();
        let (short, long) = (&MAC[1..], format!("{MAC}0"));
        let malformed = [
            String::new(),
            " ".to_owned(),
            ",".to_owned(),
            "t=1795815623000".to_owned(),
            format!("v1={MAC}"),
            format!("v1={MAC},t=1795815623000"),
            format!("t=1795815623000;v1={MAC}"),
            format!("t=1795815623000 v1={MAC}"),
            format!("t=1795815623000,v1 ={MAC}"),
            format!("t=1795815623000,v1= {MAC}"),
            format!("t = 1795815623000,v1={MAC}"),
            format!("T=1795815623000,v1={MAC}"),
            format!("t=1795815623000,V1={MAC}"),
            format!("t=1795815623000,v1={upper}"),
            format!("t=1795815623000,v1={short}"),
            format!("t=1795815623000,v1={long}"),
            format!("t=1795815623000,v1=0x{}", &MAC[2..]),
            "t=1795815623000,v1=".to_owned(),
            format!("t=1795815623000,v1={MAC},"),
            format!("t=1795815623000,,v1={MAC}"),
            format!("t=1795815623000,v1={MAC},v1={MAC}"),
            format!("t=1795815623000,t=1795815623000,v1={MAC}"),
            format!("t=1795815623000,v1={MAC},t=1795815623000"),
            format!("t=1795815623000,v0={MAC}"),
            format!("t=1795815623000,v1={MAC},v0={MAC}"),
            format!("t=1795815623000,v1={MAC},v3={MAC},v2={MAC}"),
            format!("t=1795815623000,v1={MAC},v2={MAC},v2={MAC}"),
            format!("t=1795815623000,v1={MAC},v02={MAC}"),
            format!("t=1795815623000,v1={MAC},v2"),
            format!("t=1795815623000,v1={MAC},v2="),
            format!("t=1795815623000,v1={MAC},v2=\"{MAC}\""),
            format!("t=1795815623000,v1={MAC},x={MAC}"),
            format!("t=1795815623000,v1={MAC}\u{0661}"),
            format!("t=,v1={MAC}"),
            format!("t=0,v1={MAC}"),
            format!("t=-1795815623000,v1={MAC}"),
            format!("t=+1795815623000,v1={MAC}"),
            format!("t=01795815623000,v1={MAC}"),
            format!("t=1795815623000.5,v1={MAC}"),
            format!("t=1.79e12,v1={MAC}"),
            format!("t=0x1a2,v1={MAC}"),
            format!("t=1_795_815_623_000,v1={MAC}"),
            format!("t=9999999999999999999999,v1={MAC}"),
            format!("t=999999999999999,v1={MAC}"),
            format!("t=\u{0661}795815623000,v1={MAC}"),
            format!("t=2026-11-27T21:40:23Z,v1={MAC}"),
        ];
        for value in malformed {
            assert_eq!(parse(&with(&value)).unwrap_err(), SignatureError::Malformed, "{value}");
        }
        assert_eq!(parse(&HeaderMap::new()).unwrap_err(), SignatureError::Missing);
        let mut twice = with(&format!("t=1795815623000,v1={MAC}"));
        twice.append(HEADER, twice[HEADER].clone());
        assert_eq!(parse(&twice).unwrap_err(), SignatureError::Repeated);
    }

    #[test]
    fn a_signature_is_that_of_openssl() {
        // Made with `openssl dgst -sha256 -hmac`, of `1795815623000.{"id":"event_1"}`.
        let secret = WebhookSecret::new("whsec_0123456789abcdef").unwrap();
        let mac = "1141804bb3a81b1b6388519d9d78b489d114e71d290973d9920189fd5e656222";
        let headers = with(&format!("t=1795815623000, v1={mac}"));
        let now = Timestamp::from_millisecond(1_795_815_623_000).unwrap();
        parse(&headers).unwrap().verify(&[secret], br#"{"id":"event_1"}"#, Duration::ZERO, now).unwrap();
    }
}
