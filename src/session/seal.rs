//! The format of sealed sessions: `Fe26.2`, as iron-webcrypto, iron-session and the WorkOS SDK for Node write it.
//!
//! `Fe26.2*<password ID>*<salt>*<iv>*<ciphertext>*<expiration>*<salt>*<mac>~2`: AES-256-CBC, then HMAC-SHA-256 over everything before
//! the second salt. Each has its own key from PBKDF2-HMAC-SHA-1 with a single iteration. That doesn't stretch a password, so it must
//! be random.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use base64::{Engine, decoded_len_estimate};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::base64url::BASE64URL;
use crate::error::{Error, SealError};
use crate::runtime::Random;
use crate::secret::CookiePassword;
use crate::wire::{self, hex};

const SEAL_PREFIX: &str = "Fe26.2";
const SEAL_VERSION: &str = "~2";
const AES_BLOCK_BYTES: usize = 16;
/// A cookie of 4096 bytes can't hold more.
const STACK_BYTES: usize = 3072;
/// How much clocks may differ.
const CLOCK_SKEW_MILLISECONDS: i64 = 60_000;

/// A password that is ready to derive keys.
#[derive(Clone)]
pub(super) struct PreparedPassword {
    id: String,
    hmac: Hmac<Sha1>,
}

impl PreparedPassword {
    pub(super) fn new(password: &CookiePassword) -> Result<Self, Error> {
        let hmac = Hmac::new_from_slice(wire::text(password).as_bytes())
            .map_err(|_| Error::invalid_value("cookie_password", "can't be used as a key"))?;
        Ok(Self { id: password.id().to_owned(), hmac })
    }

    /// PBKDF2 with one iteration (RFC 8018 §5.2): its blocks are HMACs of the salt and their number.
    fn derive(&self, salt: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        for (chunk, number) in key.chunks_mut(20).zip(1_u32..) {
            let block = self.hmac.clone().chain_update(salt).chain_update(number.to_be_bytes()).finalize().into_bytes();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        key
    }

    fn mac(&self, salt: &str, text: &str) -> Result<Hmac<Sha256>, SealError> {
        let key = self.derive(salt);
        Hmac::<Sha256>::new_from_slice(key.as_ref()).map(|mac| mac.chain_update(text)).map_err(|_| SealError::Malformed)
    }
}

/// Seals a text, which can be opened until `expires`.
pub(super) fn seal(
    password: &PreparedPassword,
    text: &[u8],
    expires: Option<Timestamp>,
    random: &dyn Random,
) -> Result<String, Error> {
    let (mut salts, mut iv) = ([0; 64], [0; AES_BLOCK_BYTES]);
    random.fill(&mut salts)?;
    random.fill(&mut iv)?;
    let (encryption_salt, mac_salt) = salts.split_at(32);
    let expires = expires.map(|time| time.as_millisecond().to_string()).unwrap_or_default();
    seal_with(password, text, &hex(encryption_salt), iv, &expires, &hex(mac_salt)).map_err(Error::seal)
}

fn seal_with(
    password: &PreparedPassword,
    text: &[u8],
    encryption_salt: &str,
    iv: [u8; AES_BLOCK_BYTES],
    expires: &str,
    mac_salt: &str,
) -> Result<String, SealError> {
    let key = password.derive(encryption_salt);
    let mut buffer = Zeroizing::new(Vec::with_capacity(text.len() + AES_BLOCK_BYTES));
    buffer.extend_from_slice(text);
    encrypt(key.as_ref(), iv, &mut buffer).map_err(|Unspecified| SealError::Malformed)?;
    let (iv, ciphertext) = (BASE64URL.encode(iv), BASE64URL.encode(&*buffer));
    let signed = format!("{SEAL_PREFIX}*{}*{encryption_salt}*{iv}*{ciphertext}*{expires}", password.id);
    let mac = password.mac(mac_salt, &signed)?.finalize().into_bytes();
    Ok(format!("{signed}*{mac_salt}*{}{SEAL_VERSION}", BASE64URL.encode(mac)))
}

/// Opens a text that was sealed with one of these passwords, and lends it to `read`. Before anything is decrypted, the MAC is compared
/// in constant time.
pub(super) fn open<R>(
    passwords: &[PreparedPassword],
    sealed: &str,
    now: impl FnOnce() -> Timestamp,
    read: impl FnOnce(&[u8]) -> Result<R, SealError>,
) -> Result<R, SealError> {
    let seal = SealedText::split(sealed)?;
    let Some(password) = passwords.iter().find(|password| seal.is_signed_with(password)) else {
        // An unknown ID belongs to another password.
        let known = passwords.iter().any(|password| password.id == seal.password_id);
        return Err(if known { SealError::BadMac } else { SealError::WrongPassword });
    };
    if seal.has_expired(now)? {
        return Err(SealError::Expired);
    }
    // On the stack; a text that was kept outside a cookie may need more room.
    let (mut stack, mut heap) = ([0; STACK_BYTES], Vec::new());
    let needed = decoded_len_estimate(seal.ciphertext.len());
    let buffer = if needed > STACK_BYTES {
        heap.resize(needed, 0);
        Wiped(&mut heap)
    } else {
        Wiped(&mut stack[..needed])
    };
    let length = BASE64URL.decode_slice(seal.ciphertext, &mut *buffer.0).map_err(|_| SealError::Malformed)?;
    let key = password.derive(seal.encryption_salt);
    read(decrypt(key.as_ref(), seal.iv, &mut buffer.0[..length]).map_err(|Unspecified| SealError::Malformed)?)
}

fn encrypt(key: &[u8], iv: [u8; AES_BLOCK_BYTES], text: &mut Vec<u8>) -> Result<(), Unspecified> {
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key)?)?;
    cipher.less_safe_encrypt(text, EncryptionContext::Iv128(iv.into())).map(drop)
}

fn decrypt<'a>(key: &[u8], iv: [u8; AES_BLOCK_BYTES], text: &'a mut [u8]) -> Result<&'a mut [u8], Unspecified> {
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key)?)?;
    cipher.decrypt(text, DecryptionContext::Iv128(iv.into()))
}

struct Wiped<'a>(&'a mut [u8]);

impl Drop for Wiped<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

struct SealedText<'a> {
    signed: &'a str,
    password_id: &'a str,
    encryption_salt: &'a str,
    iv: [u8; AES_BLOCK_BYTES],
    ciphertext: &'a str,
    expires: &'a str,
    mac_salt: &'a str,
    mac: [u8; 32],
}

impl<'a> SealedText<'a> {
    fn split(sealed: &'a str) -> Result<Self, SealError> {
        // The MAC doesn't cover the version: an unknown version must not be guessed.
        let body = match sealed.strip_suffix(SEAL_VERSION) {
            Some(body) => body,
            None if sealed.contains('~') => return Err(SealError::UnknownVersion),
            None => sealed,
        };
        // Split from both ends, so that the long ciphertext isn't searched. An asterisk in it isn't base64 and is refused later.
        let mut fields = body.splitn(5, '*');
        let mut field = || fields.next().ok_or(SealError::Malformed);
        match field()? {
            SEAL_PREFIX => {}
            prefix if prefix.starts_with("Fe26.") => return Err(SealError::UnknownVersion),
            _ => return Err(SealError::Malformed),
        }
        let (password_id, encryption_salt, iv) = (field()?, field()?, field()?);
        let mut fields = field()?.rsplitn(4, '*');
        let mut field = || fields.next().ok_or(SealError::Malformed);
        let (mac, mac_salt, expires, ciphertext) = (field()?, field()?, field()?, field()?);
        let signed = &body[..body.len() - mac_salt.len() - mac.len() - 2];
        let (iv, mac) = (decode_exact(iv)?, decode_exact(mac)?);
        Ok(Self { signed, password_id, encryption_salt, iv, ciphertext, expires, mac_salt, mac })
    }

    fn is_signed_with(&self, password: &PreparedPassword) -> bool {
        password.mac(self.mac_salt, self.signed).is_ok_and(|mac| mac.verify_slice(&self.mac).is_ok())
    }

    /// The field is empty, or it has milliseconds since 1970 without a leading zero.
    fn has_expired(&self, now: impl FnOnce() -> Timestamp) -> Result<bool, SealError> {
        if self.expires.is_empty() {
            return Ok(false);
        }
        if self.expires.starts_with('0') || !self.expires.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SealError::Malformed);
        }
        let expires: i64 = self.expires.parse().map_err(|_| SealError::Malformed)?;
        Ok(expires < now().as_millisecond() - CLOCK_SKEW_MILLISECONDS)
    }
}

fn decode_exact<const N: usize>(text: &str) -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    match BASE64URL.decode_slice(text, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        _ => Err(SealError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "workos-typestate-sdk-test-password-0123456789";
    /// Sealed by version 11 of the SDK for Node.
    const NODE: (&str, &str) = (
        "Fe26.2*1*25e32508ce4994769820433fb15cd34faf1748ba9140489fe37fcee72a0bac58*evtFVCNCeoLyaZXwKkWt6Q*RMvESMLaTLeMeEukDDsGhACCnVV5JjeCajCEpewVsE14yT8fgc_VBNxLftr4nVseUhRvMbG2ywR-V92Dcw1oYAptl51TpBXGijZ4fySccf3cdv5bWaY16J0Pgzjm_tGw_23BGSOCK4BTa3VKQCAhZePzxCRk7l-eMrx8GuQdLoC5RX9MntnsuZDVw8pCHfOOHb2wxNNAGPM4PU985DUdUB85-U_N44JUewYAiidyHI_nqN-bB2BHrUiaepGep7bKphaD4HFVuOBUiQF03RoS-G2qL2ODqxDs1sinfnrmL6eOrcmsDOng8Z6lgP6ZEY9wGjA4FhzA7HJf7PvAcCf20w**3290a785fb34ef692b3e3e654fa7a744cf0aa0ef49c0a88ed1f93d93c571e83e*9AbATrP40xnnavvFngsKDRo6nGnm37RS6sCK0RHEd4g~2",
        r#"{"organizationId":"org_1","user":{"object":"user","id":"user_1","email":"a@b.c","emailVerified":true,"name":null,"createdAt":"t","updatedAt":"t","externalId":null,"metadata":{}},"accessToken":"h.eyJvcmdfaWQiOiJvcmdfMSJ9.s","refreshToken":"rt_1"}"#,
    );
    /// With chosen salts and IV; version 11 of the SDK for Node opens it.
    const CHOSEN: (&str, &str) = (
        "Fe26.2*1*00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff*AQIDBAUGBwgJCgsMDQ4PEA*Oq_AwrHOmFFZBOUXCmYj8voFOnq9yYyaElML0bQ2GVrliBKlJqAM4hENTgOksXZhoQtkOYIRkQDbvPepsuFCr_swE0aFsC7edcYJv7iyNOWxm7239NMjZeBd6W8PhCKK60ftUilJhGkpUCwx1mLM6w**ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100*vc858xPeaXcZyZbLf9BL0fF6yDaMgeXZx_giAogRr-0~2",
        r#"{"accessToken":"at_1","refreshToken":"rt_1","user":{"object":"user","id":"user_1","email":"a@example.com"}}"#,
    );

    #[test]
    fn a_seal_of_the_sdk_for_node_is_opened() {
        let password = PreparedPassword::new(&CookiePassword::new(PASSWORD).unwrap()).unwrap();
        let (sealed, text) = NODE;
        let seal = SealedText::split(sealed).unwrap();
        let keys = [seal.encryption_salt, seal.mac_salt].map(|salt| hex(password.derive(salt).as_ref()));
        assert_eq!(
            keys,
            [
                "e6af9b706784c2d888460de0334f9fb1fd9072ec6d50c217763ae6041942f3a4",
                "86ce078ef3014c838704347e1c94d84863fb81d8e3e5292728aa04a2ae01a9cb"
            ]
        );
        assert_eq!(
            open(&[password], sealed, Timestamp::now, |opened| Ok(opened.to_vec())),
            Ok(text.as_bytes().to_vec())
        );
    }

    #[test]
    fn a_seal_that_the_sdk_for_node_opened_is_made() {
        let password = PreparedPassword::new(&CookiePassword::new(PASSWORD).unwrap()).unwrap();
        let (sealed, text) = CHOSEN;
        let encryption_salt = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let mac_salt = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
        assert_eq!(
            hex(password.derive(encryption_salt).as_ref()),
            "7c58246d246c06208b6c904c4c2bd99e5d440cde5ede44703f2218473363be2b"
        );
        assert_eq!(
            hex(password.derive(mac_salt).as_ref()),
            "5da16f86edf2479755b5b5640646bffbdb58765fb0916b8337a7316eea1b4d39"
        );
        let iv = std::array::from_fn(|index| u8::try_from(index + 1).unwrap());
        let made = seal_with(&password, text.as_bytes(), encryption_salt, iv, "", mac_salt).unwrap();
        assert_eq!(made, sealed);
        assert_eq!(
            open(&[password], sealed, Timestamp::now, |opened| Ok(opened.to_vec())),
            Ok(text.as_bytes().to_vec())
        );
    }
}
