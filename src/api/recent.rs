//! A map that keeps a limited number of entries, those that were used last.

use std::collections::HashMap;
use std::mem;

/// SHA-256 of a key.
pub(super) type Fingerprint = [u8; 32];

/// Two generations. When the young one reaches half of the capacity, it becomes the old one, and unused entries of the old one are
/// forgotten.
pub(super) struct Recent<V> {
    capacity: usize,
    young: HashMap<Fingerprint, V>,
    old: HashMap<Fingerprint, V>,
}

impl<V> Recent<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&mut self, fingerprint: &Fingerprint) -> Option<&V> {
        if let Some(value) = self.old.remove(fingerprint) {
            self.put(*fingerprint, value);
        }
        self.young.get(fingerprint)
    }

    pub(super) fn put(&mut self, fingerprint: Fingerprint, value: V) {
        self.old.remove(&fingerprint);
        if self.young.len() >= self.capacity / 2 && !self.young.contains_key(&fingerprint) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(fingerprint, value);
    }

    pub(super) fn remove(&mut self, fingerprint: &Fingerprint) {
        self.young.remove(fingerprint);
        self.old.remove(fingerprint);
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: u32) -> Fingerprint {
        let mut fingerprint = [0; 32];
        fingerprint[..4].copy_from_slice(&number.to_be_bytes());
        fingerprint
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        for capacity in [2, 3, 8] {
            let mut recent = Recent::new(capacity);
            for number in 0..100 {
                recent.put(fingerprint(number), number);
                assert!(recent.len() <= capacity, "{capacity}: {}", recent.len());
                assert_eq!(recent.get(&fingerprint(number)), Some(&number));
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut recent = Recent::new(8);
        recent.put(fingerprint(0), 0);
        for number in 1..100 {
            recent.put(fingerprint(number), number);
            assert_eq!(recent.get(&fingerprint(0)), Some(&0), "{number}");
        }
        assert_eq!(recent.get(&fingerprint(1)), None);
        recent.remove(&fingerprint(0));
        assert_eq!(recent.get(&fingerprint(0)), None);
    }

    #[test]
    fn a_new_value_replaces_the_old_one() {
        let mut recent = Recent::new(4);
        recent.put(fingerprint(1), "one");
        recent.put(fingerprint(2), "two");
        recent.put(fingerprint(3), "three");
        recent.put(fingerprint(1), "uno");
        assert_eq!(recent.get(&fingerprint(1)), Some(&"uno"));
        assert_eq!(recent.len(), 3);
    }
}
