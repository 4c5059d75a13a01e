//! Which moment of its window a renewal gets: one at which the fleet has little to do.
//!
//! ```text
//!  planned per minute
//!  fair ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
//!   ▆▆▇▆▇▇▆▇▆▇▇▆▇▆▇▇▆▇▆▇▆▆▅▅▄▄▃▃▂▂▁
//!  now            widest   begin ├─ room ─┤ last
//! ```
//!
//! Every token has one renewal ahead of it, so what is planned from now to the end of a window,
//! divided by that time, is the *mean* that the fleet has to do. A slot (a minute; a second where
//! the window is short) is *full* a little above that mean. The moment is drawn among what room
//! there is, so that a full slot gets nothing and an empty one most; and not simply the emptiest,
//! which would always be the last one, a few seconds before *latest*. Only where the whole window is
//! full it opens earlier, step by step, down to the 30 % of B4: after a mass start or an outage.
//! Where that is full too, the emptiest slot is taken, which fills them evenly.
//!
//! The draw depends on a hash of the record and on what is planned, so whoever decides on the same
//! gives the same moment.

use std::{
    collections::BTreeMap,
    iter,
    ops::{Range, RangeInclusive},
};

mod load;

#[cfg(test)]
mod tests;

use load::Width;

pub use load::Load;

/// A slot is full at this much of the mean. More leaves more of the unevenness; at less, the places
/// of a fleet at rest crowd at the end of the window, because only there is room.
const FULL_SHARE: f64 = 1.06;
/// A minute with fewer than this is no reason to renew a token earlier, however little the fleet has
/// to do otherwise.
const CALM_MINUTE: u32 = 10;
/// The same for a second. API servers do hundreds of renewals in one; it is also where a mass start
/// begins.
const CALM_SECOND: u32 = 33;
/// Windows up to this, in seconds, are levelled by the second; longer ones by the minute, and then by
/// the second within it.
const BY_SECOND_MAX: i64 = 600;

/// What is planned for the Secrets of one shoot, by minute: a second criterion.
#[derive(Clone, Debug, Default)]
pub struct ShootLoad(BTreeMap<i64, u32>);

/// The moments that can be chosen, in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The present one.
    pub now: i64,
    /// Those of the window.
    pub window: RangeInclusive<i64>,
    /// How early it may open where it is full; not after its begin.
    pub widest: i64,
}

impl ShootLoad {
    /// Plans one more for this second.
    pub fn put(&mut self, second: i64) {
        *self.0.entry(second.div_euclid(Width::Minute.seconds())).or_default() += 1;
    }

    /// Takes one out again.
    pub fn remove(&mut self, second: i64) {
        let minute = second.div_euclid(Width::Minute.seconds());
        match self.0.get_mut(&minute) {
            Some(1) => drop(self.0.remove(&minute)),
            Some(count) => *count -= 1,
            None => debug_assert!(false, "only what was put in is taken out"),
        }
    }

    /// Whether nothing is planned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Choice {
    /// The moment for one more renewal. `seed` is a hash that stays the same for whoever decides on
    /// the same; equal seeds get different moments only by what is planned.
    #[must_use]
    pub fn choose(&self, fleet: &Load, shoot: &ShootLoad, seed: u64) -> i64 {
        let (begin, last) = (*self.window.start(), *self.window.end());
        let length = last - begin + 1;
        let width = if length > BY_SECOND_MAX { Width::Minute } else { Width::Second };
        let calm = if width == Width::Minute { CALM_MINUTE } else { CALM_SECOND };
        let draw = Draw { fleet, shoot, width, full: self.full(fleet, width), seed };
        let mut earlier = iter::successors(Some(begin - 1), |to| Some(to - length))
            .take_while(|to| *to >= self.widest)
            .map(|to| self.widest.max(to - length + 1)..=to);
        draw.with_room(&self.window)
            .or_else(|| draw.emptiest(&self.window).filter(|(_, planned)| *planned < calm))
            .or_else(|| earlier.find_map(|part| draw.with_room(&part)))
            .or_else(|| draw.emptiest(&(self.widest.min(begin)..=last)))
            .map_or(last, |(second, _)| second)
    }

    /// At how many a slot is full.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive count of what fits into memory; `as` saturates"
    )]
    fn full(&self, fleet: &Load, width: Width) -> u32 {
        let last = *self.window.end();
        let planned = fleet.between(self.now..last + 1) + 1;
        let slots = (last - self.now).max(1) as f64 / width.seconds() as f64;
        (FULL_SHARE * planned as f64 / slots).ceil() as u32
    }
}

/// One draw.
struct Draw<'a> {
    fleet: &'a Load,
    shoot: &'a ShootLoad,
    width: Width,
    full: u32,
    seed: u64,
}

/// A slot with what is planned in it, of the fleet and of the shoot.
#[derive(Clone, Copy)]
struct Slot {
    number: i64,
    fleet: u32,
    shoot: u32,
}

impl Draw<'_> {
    /// A second with room, and what is planned in its slot; first where the shoot has least.
    fn with_room(&self, part: &RangeInclusive<i64>) -> Option<(i64, u32)> {
        let slots = self.slots(&self.width.slots_of(part));
        let own: u32 = slots.iter().map(|slot| slot.shoot).sum();
        let count = slots.len().max(1) as u64;
        let share = 1 + u32::try_from(u64::from(own) / count).unwrap_or(u32::MAX);
        let slot = self.draw(&slots, share).or_else(|| self.draw(&slots, u32::MAX))?;
        Some((self.second_of(slot.number, part), slot.fleet))
    }

    /// A slot in proportion to its room; none where it has `share` of the shoot.
    fn draw(&self, slots: &[Slot], share: u32) -> Option<Slot> {
        let room = |slot: &Slot| match slot.shoot < share {
            true => u64::from(self.full.saturating_sub(slot.fleet)),
            false => 0,
        };
        let all: u64 = slots.iter().map(room).sum();
        let mut left = u64::try_from((u128::from(self.seed) * u128::from(all)) >> 64).ok()?;
        slots.iter().copied().find(|slot| {
            let room = room(slot);
            let found = left < room;
            left = left.saturating_sub(room);
            found
        })
    }

    /// A second of the emptiest slot, and what is planned in that.
    fn emptiest(&self, part: &RangeInclusive<i64>) -> Option<(i64, u32)> {
        let slots = self.width.slots_of(part);
        let from = self.any_of(&slots);
        let turned = |slot: &Slot| (slot.number < from, slot.number);
        let all = self.slots(&slots).into_iter();
        let slot = all.min_by_key(|slot| (slot.fleet, slot.shoot, turned(slot)))?;
        Some((self.second_of(slot.number, part), slot.fleet))
    }

    /// The emptiest second of a slot, as far as the slot is within `part`.
    fn second_of(&self, slot: i64, part: &RangeInclusive<i64>) -> i64 {
        let first = slot * self.width.seconds();
        if self.width == Width::Second {
            return first;
        }
        let seconds = first.max(*part.start())..(first + self.width.seconds()).min(part.end() + 1);
        let from = self.any_of(&seconds);
        let mut emptiest = None;
        self.fleet.each_slot(Width::Second, seconds, |second, count| {
            let key = (count, second < from, second);
            if emptiest.is_none_or(|least| key < least) {
                emptiest = Some(key);
            }
        });
        emptiest.map_or(*part.end(), |(_, _, second)| second)
    }

    /// In one piece, because each is looked at several times.
    fn slots(&self, slots: &Range<i64>) -> Vec<Slot> {
        let mut all =
            Vec::with_capacity(usize::try_from(slots.end - slots.start).unwrap_or_default());
        self.fleet.each_slot(self.width, slots.clone(), |number, fleet| {
            all.push(Slot { number, fleet, shoot: 0 });
        });
        for (number, count) in self.shoot.within(self.width, slots) {
            let place = usize::try_from(number - slots.start).unwrap_or(usize::MAX);
            all.get_mut(place).into_iter().for_each(|slot| slot.shoot = count);
        }
        all
    }

    /// Where a search for equals begins: another number out of the same seed (the multiplier of
    /// Knuth's MMIX generator), so that slot and second do not depend on each other.
    fn any_of(&self, range: &Range<i64>) -> i64 {
        let hash = self.seed.wrapping_mul(6_364_136_223_846_793_005).rotate_left(32);
        let length = (range.end - range.start).max(0).unsigned_abs();
        let step = (u128::from(hash) * u128::from(length)) >> 64;
        range.start + i64::try_from(step).unwrap_or_default()
    }
}

impl ShootLoad {
    /// What is planned in these slots, where it is anything; nothing is kept by the second.
    fn within(&self, width: Width, slots: &Range<i64>) -> impl Iterator<Item = (i64, u32)> {
        let minutes = match width {
            Width::Minute if slots.start < slots.end => slots.clone(),
            Width::Minute | Width::Second => 0..0,
        };
        self.0.range(minutes).map(|(minute, count)| (*minute, *count))
    }
}

impl Width {
    /// The slots that lie in `part` by half or more.
    fn slots_of(self, part: &RangeInclusive<i64>) -> Range<i64> {
        let (width, after) = (self.seconds(), part.end() + 1);
        match self {
            Self::Second => *part.start()..after,
            Self::Minute => {
                let first = (part.start() + width / 2 - 1).div_euclid(width);
                let end = (after + width / 2).div_euclid(width);
                first..end.max(first)
            }
        }
    }
}
