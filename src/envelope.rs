//! The format of texts that only this crate opens: XChaCha20-Poly1305 under a key derived with HKDF-SHA-256 (RFC 5869).
//!
//! `wa1.`, then in base64url: the password's ID in 8 bytes, a nonce of 24 bytes, the ciphertext. Passwords are long and random, so they
//! aren't stretched.

use base64::Engine;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base64url::BASE64URL;
use crate::error::{Error, ParkedError};
use crate::runtime::Random;

const ENVELOPE_PREFIX: &str = "wa1.";
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

/// What is sealed. A text that was sealed for one purpose can't be opened for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    ParkedLogin,
    StoredSession,
}

/// A key for this purpose only, and an ID that tells a wrong password from a changed text.
fn derive(purpose: Purpose, password: &str) -> Result<(Zeroizing<[u8; 32]>, [u8; KEY_ID_BYTES]), ParkedError> {
    let salt: &[u8] = match purpose {
        Purpose::ParkedLogin => b"workos-auth parked login",
        Purpose::StoredSession => b"workos-auth stored session",
    };
    let kdf = Hkdf::<Sha256>::new(Some(salt), password.as_bytes());
    let mut key = Zeroizing::new([0; 32]);
    let mut id = [0; KEY_ID_BYTES];
    kdf.expand(b"key", key.as_mut()).map_err(|_| ParkedError::Malformed)?;
    kdf.expand(b"name", &mut id).map_err(|_| ParkedError::Malformed)?;
    Ok((key, id))
}

fn associated(context: &str) -> Vec<u8> {
    [ENVELOPE_PREFIX, context].concat().into_bytes()
}

/// Seals a text for a context. The context isn't in the result, and it must be the same when the text is opened.
pub(crate) fn seal(
    purpose: Purpose,
    password: &str,
    context: &str,
    text: &[u8],
    random: &dyn Random,
) -> Result<String, Error> {
    let (key, id) = derive(purpose, password).map_err(Error::parked)?;
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: &associated(context) })
        .map_err(|_| Error::parked(ParkedError::Malformed))?;
    let bytes = [id.as_slice(), &nonce, &sealed].concat();
    Ok(format!("{ENVELOPE_PREFIX}{}", BASE64URL.encode(bytes)))
}

/// Opens a text that was sealed for the same purpose and context.
pub(crate) fn open(
    purpose: Purpose,
    password: &str,
    context: &str,
    sealed: &str,
) -> Result<Zeroizing<Vec<u8>>, ParkedError> {
    let Some(encoded) = sealed.strip_prefix(ENVELOPE_PREFIX) else {
        let versioned = sealed.starts_with("wa") && sealed.contains('.');
        return Err(if versioned { ParkedError::UnknownVersion } else { ParkedError::Malformed });
    };
    let bytes = BASE64URL.decode(encoded).map_err(|_| ParkedError::Malformed)?;
    let (given, rest) = bytes.split_at_checked(KEY_ID_BYTES).ok_or(ParkedError::Malformed)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(ParkedError::Malformed)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| ParkedError::Malformed)?;
    let (key, id) = derive(purpose, password)?;
    if !bool::from(id.ct_eq(given)) {
        return Err(ParkedError::WrongPassword);
    }
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    cipher
        .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &associated(context) })
        .map(Zeroizing::new)
        .map_err(|_| ParkedError::Tampered)
}
