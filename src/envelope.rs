//! How what only this crate opens is sealed: XChaCha20-Poly1305 under a key derived with HKDF-SHA-256 (RFC 5869).
//!
//! `wa1.` and base64url of: 8 bytes that name the password, 24 bytes of nonce, the ciphertext. Passwords are random and
//! long, so nothing is stretched.

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

const PREFIX: &str = "wa1.";
const NAME: usize = 8;
const NONCE: usize = 24;

/// What is sealed: a seal of one purpose doesn't open for another.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    ParkedLogin,
    StoredSession,
}

/// A key for this purpose alone, and a name by which a wrong password is told from a changed seal.
fn derive(purpose: Purpose, password: &str) -> Result<(Zeroizing<[u8; 32]>, [u8; NAME]), ParkedError> {
    let salt: &[u8] = match purpose {
        Purpose::ParkedLogin => b"workos-auth parked login",
        Purpose::StoredSession => b"workos-auth stored session",
    };
    let kdf = Hkdf::<Sha256>::new(Some(salt), password.as_bytes());
    let mut key = Zeroizing::new([0; 32]);
    let mut name = [0; NAME];
    kdf.expand(b"key", key.as_mut()).map_err(|_| ParkedError::Malformed)?;
    kdf.expand(b"name", &mut name).map_err(|_| ParkedError::Malformed)?;
    Ok((key, name))
}

fn associated(context: &str) -> Vec<u8> {
    [PREFIX, context].concat().into_bytes()
}

/// Seals a text for a context, which is no part of the seal: it opens in the same one only.
pub(crate) fn seal(
    purpose: Purpose,
    password: &str,
    context: &str,
    text: &[u8],
    random: &dyn Random,
) -> Result<String, Error> {
    let (key, name) = derive(purpose, password).map_err(Error::parked)?;
    let mut nonce = [0; NONCE];
    random.fill(&mut nonce)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: &associated(context) })
        .map_err(|_| Error::parked(ParkedError::Malformed))?;
    let bytes = [name.as_slice(), &nonce, &sealed].concat();
    Ok(format!("{PREFIX}{}", BASE64URL.encode(bytes)))
}

pub(crate) fn open(
    purpose: Purpose,
    password: &str,
    context: &str,
    sealed: &str,
) -> Result<Zeroizing<Vec<u8>>, ParkedError> {
    let Some(encoded) = sealed.strip_prefix(PREFIX) else {
        let versioned = sealed.starts_with("wa") && sealed.contains('.');
        return Err(if versioned { ParkedError::UnknownVersion } else { ParkedError::Malformed });
    };
    let bytes = BASE64URL.decode(encoded).map_err(|_| ParkedError::Malformed)?;
    let (given, rest) = bytes.split_at_checked(NAME).ok_or(ParkedError::Malformed)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or(ParkedError::Malformed)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| ParkedError::Malformed)?;
    let (key, name) = derive(purpose, password)?;
    if !bool::from(name.ct_eq(given)) {
        return Err(ParkedError::WrongPassword);
    }
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    cipher
        .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &associated(context) })
        .map(Zeroizing::new)
        .map_err(|_| ParkedError::Tampered)
}
