//! Tokens that were verified before: the next check costs one hash and one look-up.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

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

impl<C> Clone for Remembered<C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), key: Arc::clone(&self.key) }
    }
}

/// Two generations. When the young one reaches half of the capacity, it becomes the old one, and unused tokens of the old one are
/// forgotten.
pub(super) struct Memory<C> {
    pub(super) capacity: usize,
    generations: Mutex<Generations<C>>,
}

struct Generations<C> {
    young: HashMap<Fingerprint, Remembered<C>>,
    old: HashMap<Fingerprint, Remembered<C>>,
}

impl<C> Memory<C> {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Arc::new(Self { capacity, generations: Mutex::new(generations) })
    }

    pub(super) fn fingerprint(token: &str) -> Fingerprint {
        wire::sha256(token)
    }

    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<Remembered<C>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = generations.young.get(fingerprint) {
            return Some(found.clone());
        }
        let found = generations.old.remove(fingerprint)?;
        generations.keep(self.capacity, *fingerprint, found.clone());
        Some(found)
    }

    pub(super) fn insert(&self, fingerprint: Fingerprint, remembered: Remembered<C>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(self.capacity, fingerprint, remembered);
    }

    pub(super) fn remove(&self, fingerprint: &Fingerprint) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.remove(fingerprint);
        generations.old.remove(fingerprint);
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
