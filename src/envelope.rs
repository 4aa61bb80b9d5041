//! The format of texts that only this crate opens: AES-256-GCM (NIST SP 800-38D) under a key derived with HKDF-SHA-256 (RFC 5869).
//!
//! `wa1.`, then in base64url: the password's ID in 8 bytes, a random salt of 24 bytes, the ciphertext, the tag. Each text has a key and
//! a nonce of its own, derived from its salt, so that no number of texts makes a nonce repeat. Passwords are long and random, so they
//! aren't stretched.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base64url::BASE64URL;
use crate::error::{Error, ParkedError};
use crate::runtime::Random;
use crate::wiped::WipedBytes;

const ENVELOPE_PREFIX: &str = "wa1.";
const KEY_ID_BYTES: usize = 8;
const SALT_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// What is sealed. A text that was sealed for one purpose can't be opened for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    ParkedLogin,
    StoredSession,
}

/// A number of bytes to derive.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// A password for one purpose only.
struct Master(Prk);

impl Master {
    fn new(purpose: Purpose, password: &str) -> Self {
        let purpose: &[u8] = match purpose {
            Purpose::ParkedLogin => b"workos-auth parked login",
            Purpose::StoredSession => b"workos-auth stored session",
        };
        Self(Salt::new(HKDF_SHA256, purpose).extract(password.as_bytes()))
    }

    fn derive<const N: usize>(&self, info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, Unspecified> {
        let mut bytes = Zeroizing::new([0; N]);
        self.0.expand(info, Length(N))?.fill(bytes.as_mut())?;
        Ok(bytes)
    }

    /// Tells a wrong password from a changed text.
    fn id(&self) -> Result<Zeroizing<[u8; KEY_ID_BYTES]>, Unspecified> {
        self.derive(&[b"name"])
    }

    /// The key and the nonce of the one text with this salt.
    fn key(&self, salt: &[u8]) -> Result<(LessSafeKey, Nonce), Unspecified> {
        let bytes = self.derive::<{ KEY_BYTES + NONCE_BYTES }>(&[b"key", salt])?;
        let (key, nonce) = bytes.split_at(KEY_BYTES);
        Ok((LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?), Nonce::try_assume_unique_for_key(nonce)?))
    }
}

fn associated(context: &str) -> Aad<Vec<u8>> {
    Aad::from([ENVELOPE_PREFIX, context].concat().into_bytes())
}

/// Seals a text for a context. The context isn't in the result, and it must be the same when the text is opened.
pub(crate) fn seal(
    purpose: Purpose,
    password: &str,
    context: &str,
    text: &[u8],
    random: &dyn Random,
) -> Result<String, Error> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt)?;
    seal_with(purpose, password, context, text, &salt).map_err(|Unspecified| Error::parked(ParkedError::Malformed))
}

fn seal_with(
    purpose: Purpose,
    password: &str,
    context: &str,
    text: &[u8],
    salt: &[u8; SALT_BYTES],
) -> Result<String, Unspecified> {
    let master = Master::new(purpose, password);
    let (key, nonce) = master.key(salt)?;
    let start = KEY_ID_BYTES + SALT_BYTES;
    let mut bytes = WipedBytes::with_capacity(start + text.len() + AES_256_GCM.tag_len());
    bytes.extend(master.id()?.as_ref());
    bytes.extend(salt);
    bytes.extend(text);
    let tag = key.seal_in_place_separate_tag(nonce, associated(context), &mut bytes[start..])?;
    bytes.extend(tag.as_ref());
    let mut sealed = ENVELOPE_PREFIX.to_owned();
    BASE64URL.encode_string(&*bytes, &mut sealed);
    Ok(sealed)
}

/// Opens a text that was sealed for the same purpose and context.
pub(crate) fn open(purpose: Purpose, password: &str, context: &str, sealed: &str) -> Result<WipedBytes, ParkedError> {
    let Some(encoded) = sealed.strip_prefix(ENVELOPE_PREFIX) else {
        let versioned = sealed.starts_with("wa") && sealed.contains('.');
        return Err(if versioned { ParkedError::UnknownVersion } else { ParkedError::Malformed });
    };
    let mut bytes = WipedBytes::from(BASE64URL.decode(encoded).map_err(|_| ParkedError::Malformed)?);
    let (given, rest) = bytes.split_at_checked(KEY_ID_BYTES).ok_or(ParkedError::Malformed)?;
    let (salt, _) = rest.split_at_checked(SALT_BYTES).ok_or(ParkedError::Malformed)?;
    let master = Master::new(purpose, password);
    let id = master.id().map_err(|Unspecified| ParkedError::Malformed)?;
    if !bool::from(id.ct_eq(given)) {
        return Err(ParkedError::WrongPassword);
    }
    let (key, nonce) = master.key(salt).map_err(|Unspecified| ParkedError::Malformed)?;
    let opened = key.open_within(nonce, associated(context), &mut bytes, KEY_ID_BYTES + SALT_BYTES..);
    let length = opened.map_err(|Unspecified| ParkedError::Tampered)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "workos-typestate-sdk-test-password-0123456789";
    const CONTEXT: &str = "client_123 https://api.workos.com";
    /// Made with `node:crypto`: `hkdfSync` and `aes-256-gcm`, with the salt 0, 1, …, 23.
    const NODE: &str = "wa1.Jz56qOsg1voAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhfeJ_dC2JZK9OXmEW6v_T62pAqqbO0t3r_N";

    #[test]
    fn the_format_is_what_the_documentation_says() {
        let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let sealed = seal_with(Purpose::StoredSession, PASSWORD, CONTEXT, b"a session", &salt);
        assert_eq!(sealed, Ok(NODE.to_owned()));
        let opened = open(Purpose::StoredSession, PASSWORD, CONTEXT, NODE);
        assert_eq!(opened.as_deref(), Ok(&b"a session"[..]));
    }

    #[test]
    fn purpose_context_and_password_are_bound() {
        let open = |purpose, password: &str, context: &str| open(purpose, password, context, NODE).err();
        assert_eq!(open(Purpose::ParkedLogin, PASSWORD, CONTEXT), Some(ParkedError::WrongPassword));
        assert_eq!(open(Purpose::StoredSession, &PASSWORD[1..], CONTEXT), Some(ParkedError::WrongPassword));
        assert_eq!(open(Purpose::StoredSession, PASSWORD, &CONTEXT[1..]), Some(ParkedError::Tampered));
    }
}
