//! A map that remembers what was asked for lately, in bounded memory.
//!
//! It has two halves. What is used moves to the young half; when that is full, the old half is forgotten and the young
//! one becomes the old. So what is used often stays, at the cost of one move now and then.
//!
//! A value comes to a place that was kept free for it *before* it was read. Whoever changes what it was read from takes
//! the place away, and the value, which may be of before the change, is not kept.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// What lies beside each value: its key, its place, and what the map itself needs.
const OVERHEAD: usize = 200;

#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    young: HashMap<K, Slot<V>>,
    old: HashMap<K, Slot<V>>,
    /// The size of the young half.
    size: usize,
    /// How large both may be.
    most: usize,
    places: u64,
}

#[derive(Debug)]
struct Slot<V> {
    place: Place,
    value: Option<V>,
    size: usize,
}

/// Where a value that is being read will go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl<K: Eq + Hash + Clone, V: Clone> Shelf<K, V> {
    /// A map of at most so many bytes, as far as their sizes are told.
    pub(super) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), size: 0, most, places: 0 }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(slot) = self.young.get(key) {
            return slot.value.clone();
        }
        let (key, slot) = self.old.remove_entry(key)?;
        let value = slot.value.clone();
        self.insert(key, slot);
        value
    }

    /// Keeps a place free. Two who read at once share it.
    pub(super) fn keep_place(&mut self, key: &K) -> Place {
        if let Some(slot) = self.young.get(key).or_else(|| self.old.get(key)) {
            return slot.place;
        }
        self.places += 1;
        let place = Place(self.places);
        self.insert(key.clone(), Slot { place, value: None, size: 0 });
        place
    }

    /// Puts a value of about this many bytes where a place was kept for it, if it is still there.
    pub(super) fn put(&mut self, key: &K, place: Place, value: V, size: usize) {
        let found = self.young.get(key).or_else(|| self.old.get(key));
        if found.is_some_and(|slot| slot.place == place) {
            self.forget(key);
            self.insert(key.clone(), Slot { place, value: Some(value), size });
        }
    }

    pub(super) fn forget(&mut self, key: &K) {
        self.old.remove(key);
        if let Some(slot) = self.young.remove(key) {
            self.size -= slot.size + OVERHEAD;
        }
    }

    pub(super) fn clear(&mut self) {
        (self.young, self.old, self.size) = (HashMap::new(), HashMap::new(), 0);
    }

    fn insert(&mut self, key: K, slot: Slot<V>) {
        self.size += slot.size + OVERHEAD;
        self.young.insert(key, slot);
        if self.size > self.most / 2 {
            (self.old, self.size) = (std::mem::take(&mut self.young), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(shelf: &mut Shelf<u64, u64>, key: u64, size: usize) {
        let place = shelf.keep_place(&key);
        shelf.put(&key, place, key, size);
    }

    #[test]
    fn a_value_that_was_read_before_a_change_is_not_kept() {
        let mut shelf = Shelf::new(10_000);
        let place = shelf.keep_place(&1);
        shelf.forget(&1);
        shelf.put(&1, place, 7, 1);
        assert_eq!(shelf.get(&1), None);
        let later = shelf.keep_place(&1);
        shelf.put(&1, place, 7, 1);
        assert_eq!(shelf.get(&1), None);
        shelf.put(&1, later, 8, 1);
        assert_eq!(shelf.get(&1), Some(8));
        shelf.clear();
        shelf.put(&1, later, 9, 1);
        assert_eq!(shelf.get(&1), None);
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten_in_time() {
        let mut shelf = Shelf::new(20 * (OVERHEAD + 100));
        for key in 0..1_000 {
            keep(&mut shelf, key, 100);
            assert_eq!(shelf.get(&0), Some(0), "{key}");
            assert!(shelf.young.len() + shelf.old.len() <= 22, "{key}");
        }
        assert_eq!(shelf.get(&1), None);
        assert_eq!(shelf.get(&999), Some(999));
    }

    #[test]
    fn places_that_nobody_fills_take_no_more_room_than_values() {
        let mut shelf: Shelf<u64, u64> = Shelf::new(20 * OVERHEAD);
        for key in 0..1_000 {
            shelf.keep_place(&key);
        }
        assert!(shelf.young.len() + shelf.old.len() <= 22);
    }

    #[test]
    fn the_size_of_the_young_half_is_that_of_its_slots() {
        let mut shelf = Shelf::new(100 * OVERHEAD);
        for step in 0..5_000_u64 {
            let key = step * 7919 % 61;
            match step % 5 {
                0 => shelf.forget(&key),
                1 => drop(shelf.get(&key)),
                _ => keep(&mut shelf, key, (step % 300) as usize),
            }
            let size: usize = shelf.young.values().map(|slot| slot.size + OVERHEAD).sum();
            assert_eq!(shelf.size, size);
        }
    }
}
