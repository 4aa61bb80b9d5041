//! A reply while it is read.

use bytes::Bytes;

use super::{RESPONSE_LIMIT, TransportError};
use crate::wiped::WipedBytes;

/// What is reserved for a reply of unknown length.
const FIRST: usize = 4 << 10;
/// What is reserved at most before anything has arrived.
const LARGEST_FIRST: usize = 64 << 10;

/// A reply while it is read. Replies contain tokens.
pub(super) struct ReplyBuffer(WipedBytes);

impl ReplyBuffer {
    /// For a reply of this length, if the server has announced it.
    pub(super) fn announced(length: Option<u64>) -> Result<Self, TransportError> {
        let length = length.map_or(Ok(FIRST), usize::try_from).map_err(|_| TransportError::too_large())?;
        if length > RESPONSE_LIMIT {
            return Err(TransportError::too_large());
        }
        Ok(Self(WipedBytes::with_capacity(length.min(LARGEST_FIRST))))
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        if self.0.len() + chunk.len() > RESPONSE_LIMIT {
            return Err(TransportError::too_large());
        }
        self.0.extend(chunk);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportErrorKind;

    #[test]
    fn a_reply_up_to_the_limit_is_read_and_a_longer_one_is_not() -> Result<(), TransportError> {
        let limit = RESPONSE_LIMIT as u64;
        for announced in [None, Some(0), Some(limit)] {
            let mut reply = ReplyBuffer::announced(announced)?;
            let chunk = vec![7; 1 << 15];
            for _ in 0..RESPONSE_LIMIT / chunk.len() {
                reply.push(&chunk)?;
            }
            assert_eq!(&*reply.0, vec![7; RESPONSE_LIMIT], "{announced:?}");
            let error = reply.push(&[7]).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::TooLarge, "{announced:?}");
        }
        for announced in [limit + 1, u64::MAX] {
            let refused = ReplyBuffer::announced(Some(announced)).map(drop).map_err(|error| error.kind());
            assert_eq!(refused, Err(TransportErrorKind::TooLarge));
        }
        Ok(())
    }

    #[test]
    fn no_more_than_64_kib_are_reserved_for_what_a_server_only_announces() -> Result<(), TransportError> {
        assert_eq!(ReplyBuffer::announced(Some(RESPONSE_LIMIT as u64))?.0.capacity(), 64 << 10);
        assert_eq!(ReplyBuffer::announced(Some(2_300))?.0.capacity(), 2_300);
        Ok(())
    }
}
