//! What happens when. Events of one moment come in the order in which they were put in.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::time::Ms;

/// Events by moment.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Reverse<Item<T>>>,
    put: u64,
}

#[derive(Debug)]
struct Item<T> {
    at: Ms,
    number: u64,
    what: T,
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), put: 0 }
    }
}

impl<T> Agenda<T> {
    /// Lets it happen then.
    pub fn put(&mut self, at: Ms, what: T) {
        self.put += 1;
        self.heap.push(Reverse(Item { at, number: self.put, what }));
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Ms> {
        self.heap.peek().map(|Reverse(item)| item.at)
    }

    /// The next thing, if it happens by `now`.
    pub fn take(&mut self, now: Ms) -> Option<T> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(item)| item.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_moment_and_then_in_the_order_they_were_put() {
        let mut agenda = Agenda::default();
        for (at, what) in [(5, 'b'), (1, 'a'), (5, 'c'), (9, 'd')] {
            agenda.put(at, what);
        }
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(5)).collect();
        assert_eq!(taken, ['a', 'b', 'c']);
        assert_eq!(agenda.next_at(), Some(9));
    }
}
