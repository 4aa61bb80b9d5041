//! Codes that a user reads in an e-mail, an SMS or an authenticator app (RFC 6238).

use std::io;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::refusal::Refusal;
use super::values::{after, random_bytes, same};

pub(super) const CODE_LIFETIME: Duration = Duration::from_secs(600);
pub(super) const MAX_WRONG_CODES: u32 = 5;
/// The time step X of RFC 6238 §5.2.
const TOTP_PERIOD_SECONDS: i64 = 30;

/// A code that was sent to a user.
#[derive(Clone)]
pub(super) struct OneTimeCode {
    code: String,
    sent: Timestamp,
    wrong_codes: u32,
}

impl OneTimeCode {
    pub(super) fn new(now: Timestamp) -> io::Result<Self> {
        let code = format!("{:06}", u32::from_le_bytes(random_bytes()?) % 1_000_000);
        Ok(Self { code, sent: now, wrong_codes: 0 })
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn sent(&self) -> Timestamp {
        self.sent
    }

    pub(super) fn expires(&self) -> Timestamp {
        after(self.sent, CODE_LIFETIME)
    }

    pub(super) fn check(&mut self, given: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.wrong_codes >= MAX_WRONG_CODES {
            return Err(Refusal::Code("one_time_code_too_many_attempts"));
        }
        if now >= self.expires() {
            return Err(Refusal::Code("one_time_code_expired"));
        }
        if !same(given, &self.code) {
            self.wrong_codes += 1;
            return Err(Refusal::Code("invalid_one_time_code"));
        }
        Ok(())
    }
}

/// The number of the TOTP period that a time lies in.
pub(super) fn totp_period(time: Timestamp) -> i64 {
    time.as_second().div_euclid(TOTP_PERIOD_SECONDS)
}

/// The code of one period: RFC 6238 with HMAC-SHA-1 and six digits, truncated as in RFC 4226 §5.3.
pub(super) fn totp(secret: &[u8], period: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &period.to_be_bytes());
    let offset = usize::from(tag.as_ref().last().copied().unwrap_or(0) & 0xf);
    let truncated = tag.as_ref().iter().skip(offset).take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    format!("{:06}", (truncated & 0x7fff_ffff) % 1_000_000)
}

/// RFC 4648 §6, without padding.
pub(super) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut bits, mut buffer) = (0, 0_usize);
    for byte in bytes {
        buffer = (buffer & 0xff) << 8 | usize::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[buffer >> bits & 31]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[buffer << (5 - bits) & 31]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, its last six digits.
    #[test]
    fn totp_gives_the_codes_of_the_rfc() {
        let codes = [59, 1_111_111_109, 1_234_567_890, 20_000_000_000_i64]
            .map(|second| totp(b"12345678901234567890", second.div_euclid(TOTP_PERIOD_SECONDS)));
        assert_eq!(codes, ["287082", "081804", "005924", "353130"]);
    }

    /// RFC 4648 §10.
    #[test]
    fn base32_encodes_as_in_the_rfc() {
        assert_eq!(
            ["f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base32(text.as_bytes())),
            ["MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]
        );
    }
}
