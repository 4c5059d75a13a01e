//! The Lease of a replica, and its look at those of the others: what `scheduler/leases` does, with the
//! same watcher and the same reckoning of time.
//!
//! ```text
//! beat ─► our Lease is renewed ─► all are listed ─► the answer: who is live goes to the fleet
//!   └────────── within CALL_MAX, or it has failed: after LIVE without an answer they are lost
//! ```

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    membership::{LIVE, Reckoning, View, Watcher},
    name::ReplicaName,
};

use crate::time::{Ms, SECOND};

/// Between two beats.
pub const BEAT: Ms = 2 * SECOND;
/// Longest time that the calls of one beat may take.
pub const CALL_MAX: Ms = 2 * SECOND;
const _: () = assert!(perennial_core::membership::BEAT.as_millis() == BEAT.unsigned_abs() as u128);

/// What a replica holds to. A test takes one away and sees an invariant break.
#[derive(Clone, Copy, Debug)]
pub struct Guards {
    /// A joiner lets the others see it before it orders.
    pub settles: bool,
    /// Who stood still looks at Leases anew before it orders.
    pub rereads: bool,
    /// A Lease that nobody renews is that of a dead replica.
    pub counts_out: bool,
    /// A token counts for a campaign when it stands on its Secret, and not when it is ordered.
    pub counts_written: bool,
    /// It hears of campaigns.
    pub hears_campaigns: bool,
}

impl Guards {
    /// As it is.
    pub const ALL: Self = Self {
        settles: true,
        rereads: true,
        counts_out: true,
        counts_written: true,
        hears_campaigns: true,
    };
}

/// What the engine is told.
#[derive(Debug)]
pub enum News {
    /// Who is live, by Leases that were asked for then.
    Members(Timestamp, View),
    /// They could not be read for too long.
    Lost,
}

/// The model.
#[derive(Debug)]
pub struct Keeper {
    /// Who it is.
    pub me: ReplicaName,
    number: usize,
    watcher: Watcher,
    reckoning: Reckoning,
    read: Duration,
    /// The beat that is under way, if one is.
    asked: Option<(Timestamp, Duration)>,
    /// How often it asked, which tells the answers apart.
    pub beats: u32,
    /// What fell due while a beat was under way: the next beat, a look that the engine wants at once.
    pub waits: (bool, bool),
    /// All Leases as they were when the seed answered last.
    pub listed: Vec<(ReplicaName, String)>,
    /// Leases were lost, and not read since.
    pub is_lost: bool,
    was_unread: bool,
    guards: Guards,
    last: Option<View>,
}

impl Keeper {
    /// That of the replica of this number.
    #[must_use]
    pub fn new(number: usize, guards: Guards) -> Self {
        let me = name(number, 0);
        Self {
            watcher: Watcher::new(me.clone()),
            me,
            number,
            reckoning: Reckoning::begin(Timestamp::UNIX_EPOCH),
            read: Duration::ZERO,
            asked: None,
            beats: 0,
            waits: (false, false),
            listed: Vec::new(),
            is_lost: false,
            was_unread: true,
            guards,
            last: None,
        }
    }

    /// Beats of two machines do not come at the same moment.
    pub(crate) const fn phase(&self) -> Ms {
        self.number as Ms * 37 % crate::scheduler::BEAT
    }

    /// The next start is under another name: another Pod.
    pub fn rename(&mut self, epoch: u32) {
        self.me = name(self.number, epoch);
    }

    /// Its process starts.
    pub fn start(&mut self, now: Timestamp) {
        self.watcher = Watcher::new(self.me.clone());
        self.reckoning = Reckoning::begin(now);
        (self.read, self.asked, self.last) = (Duration::ZERO, None, None);
        (self.waits, self.is_lost, self.was_unread) = ((false, false), false, true);
        self.beats += 1;
    }

    /// Whether a beat is under way.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// A beat begins.
    pub fn ask(&mut self, now: Timestamp) {
        let at = self.reckoning.at(now);
        if self.guards.rereads {
            self.watcher.beat(at);
        }
        self.asked = Some((now, at));
        self.beats += 1;
    }

    /// The beat has its answer.
    pub fn answered(&mut self) -> Option<News> {
        let ((asked, at), leases) = (self.asked.take()?, std::mem::take(&mut self.listed));
        self.read = at;
        let mut view = self.watcher.look(at, leases.iter().cloned());
        view.is_settled |= !self.guards.settles;
        if !self.guards.counts_out {
            view.live.extend(leases.into_iter().map(|(name, _)| name));
        }
        self.last = Some(view.clone());
        Some(News::Members(asked, view))
    }

    /// The beat has failed.
    pub fn failed(&mut self) -> Option<News> {
        let (_, at) = self.asked.take()?;
        (at.saturating_sub(self.read) >= LIVE).then_some(News::Lost)
    }

    /// A Lease of a replica that is long dead.
    #[must_use]
    pub fn buried(&self) -> Option<&ReplicaName> {
        self.watcher.buried().next()
    }

    /// The engine has ticked: whether it wants Leases read at once, since it stood still.
    pub const fn is_to_look(&mut self, is_unread: bool) -> bool {
        let was_unread = std::mem::replace(&mut self.was_unread, is_unread);
        is_unread && !was_unread
    }

    /// What it believed before it stood still, where it does not look again.
    #[must_use]
    pub fn unread_view(&self) -> Option<&View> {
        self.last.as_ref().filter(|_| !self.guards.rereads)
    }

    /// What it holds to.
    #[must_use]
    pub const fn guards(&self) -> Guards {
        self.guards
    }
}

fn name(number: usize, epoch: u32) -> ReplicaName {
    let text = match epoch {
        0 => format!("scheduler-{number}"),
        _ => format!("scheduler-{number}-{epoch}"),
    };
    text.parse().expect("digits and letters are a name")
}
