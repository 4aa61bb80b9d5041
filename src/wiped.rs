//! Bytes that are wiped when they are dropped.

use std::io;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use zeroize::Zeroize;

/// Bytes of which no copy is left in memory: all of the allocation is wiped when it is dropped, also when it is replaced by a larger
/// one. It is wiped as one piece; a `Zeroizing<Vec<u8>>` is wiped byte by byte, which takes most of the time of a small request.
#[derive(Default)]
pub(crate) struct WipedBytes(Vec<u8>);

impl WipedBytes {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Texts, one after the other, in an allocation of their size.
    pub(crate) fn joined<'a>(texts: impl IntoIterator<Item = &'a str, IntoIter: Clone>) -> Self {
        let texts = texts.into_iter();
        let mut joined = Self::with_capacity(texts.clone().map(str::len).sum());
        texts.for_each(|text| joined.extend(text.as_bytes()));
        joined
    }

    /// Appends bytes. A `Vec` that grows by itself leaves a copy in memory.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() {
            let mut grown = Self::with_capacity(length.next_power_of_two());
            grown.0.extend_from_slice(&self.0);
            *self = grown;
        }
        self.0.extend_from_slice(bytes);
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// The same allocation, shared. It is wiped when the last handle on it is dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl From<Vec<u8>> for WipedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Drop for WipedBytes {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.spare_capacity_mut().zeroize();
    }
}

impl Deref for WipedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for WipedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for WipedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl io::Write for WipedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_was_appended() {
        let mut bytes = WipedBytes::with_capacity(3);
        for part in [&b"ab"[..], b"", b"cdefg", b"h"] {
            bytes.extend(part);
        }
        assert_eq!(&*bytes, b"abcdefgh");
        assert_eq!(&*WipedBytes::joined(["ab", "", "cdefg", "h"]), &*bytes);
        bytes.truncate(2);
        assert_eq!(bytes.into_bytes(), b"ab"[..]);
    }
}
