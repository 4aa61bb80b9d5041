//! Tokens that were verified before: the next check costs one hash and one look-up.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claims::VerifiedToken;
use super::jwks::VerifyingKey;
use crate::wire;

/// SHA-256 of a token. Two tokens with the same one would break the token's signature, too.
pub(super) type Fingerprint = [u8; 32];

pub(super) struct Remembered<C> {
    pub(super) token: VerifiedToken<C>,
    /// The key it was verified with. A token is remembered only while this key is in use.
    pub(super) key: Arc<VerifyingKey>,
}

/// Tokens are spread over parts with a lock of their own, so that the threads of a server seldom wait for each other.
const MAX_PARTS: usize = 32;
/// A part for fewer tokens would forget some of them too early.
const MIN_TOKENS_PER_PART: usize = 64;

pub(super) struct Memory<C> {
    pub(super) capacity: usize,
    parts: Box<[Part<C>]>,
}

/// Each is on a cache line of its own.
#[repr(align(128))]
struct Part<C> {
    capacity: usize,
    generations: Mutex<Generations<C>>,
}

/// Two generations. When the young one reaches half of the capacity, it becomes the old one, and unused tokens of the old one are
/// forgotten.
struct Generations<C> {
    young: HashMap<Fingerprint, Remembered<C>>,
    old: HashMap<Fingerprint, Remembered<C>>,
}

impl<C> Memory<C> {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        let parts = (capacity / MIN_TOKENS_PER_PART).clamp(1, MAX_PARTS);
        let part = |_| Part {
            capacity: capacity.div_ceil(parts),
            generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }),
        };
        Arc::new(Self { capacity, parts: (0..parts).map(part).collect() })
    }

    pub(super) fn fingerprint(token: &str) -> Fingerprint {
        wire::sha256(token)
    }

    /// Reads what is remembered of a token.
    pub(super) fn read<T>(&self, fingerprint: &Fingerprint, read: impl FnOnce(&Remembered<C>) -> T) -> Option<T> {
        let part = self.part(fingerprint);
        let mut generations = part.lock();
        if let Some(found) = generations.young.get(fingerprint) {
            return Some(read(found));
        }
        let found = generations.old.remove(fingerprint)?;
        let read = read(&found);
        generations.keep(part.capacity, *fingerprint, found);
        Some(read)
    }

    pub(super) fn insert(&self, fingerprint: Fingerprint, remembered: Remembered<C>) {
        let part = self.part(&fingerprint);
        part.lock().keep(part.capacity, fingerprint, remembered);
    }

    pub(super) fn remove(&self, fingerprint: &Fingerprint) {
        let mut generations = self.part(fingerprint).lock();
        generations.young.remove(fingerprint);
        generations.old.remove(fingerprint);
    }

    fn part(&self, fingerprint: &Fingerprint) -> &Part<C> {
        let [first, second, ..] = *fingerprint;
        &self.parts[usize::from(u16::from_be_bytes([first, second])) % self.parts.len()]
    }
}

impl<C> Part<C> {
    fn lock(&self) -> MutexGuard<'_, Generations<C>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Generations<C> {
    fn keep(&mut self, capacity: usize, fingerprint: Fingerprint, remembered: Remembered<C>) {
        if self.young.len() >= capacity.div_ceil(2) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(fingerprint, remembered);
    }
}
