use std::time::Duration;

/// Whoever takes so many times longer than usual is slow, or hangs.
const TIMES: u32 = 3;
/// Nobody is called slow for less: a pause of a process, a retransmission. Also what a shoot that
/// freezes holds up the others at most, which is well under a second.
pub const PATIENCE_MIN: Duration = Duration::from_millis(500);
/// Nobody is waited for longer before it counts as hanging.
pub const PATIENCE_MAX: Duration = Duration::from_secs(5);
/// While nobody has answered yet.
pub const PATIENCE_UNKNOWN: Duration = Duration::from_secs(2);
/// A sample counts no more than so many times the patience: a clock that is set forward makes a call
/// look hours long.
const SAMPLE_MAX: u32 = 4;
/// What is usual follows quick answers at once and slow ones late, so that it is what they take
/// without a crowd; somebody who stays slow is used to after a dozen or two.
const DOWN: f64 = 1.0 / 4.0;
const UP: f64 = 1.0 / 16.0;

/// How long a good answer takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usual(Option<Duration>);

impl Usual {
    /// One more good answer.
    pub fn take_in(&mut self, took: Duration) {
        let before = self.0.unwrap_or(took);
        let took = took.min(self.patience(*self) * SAMPLE_MAX).as_secs_f64();
        let before = before.as_secs_f64().min(PATIENCE_MAX.as_secs_f64());
        let share = if took < before { DOWN } else { UP };
        self.0 = Some(Duration::from_secs_f64(before + (took - before) * share));
    }

    /// How long it takes; `None` while nobody has answered.
    #[must_use]
    pub const fn get(self) -> Option<Duration> {
        self.0
    }

    /// How long is waited before a call counts as slow. Where nothing is known, `others` say it.
    #[must_use]
    pub fn patience(self, others: Self) -> Duration {
        let usual = self.0.or(others.0);
        usual.map_or(PATIENCE_UNKNOWN, |usual| (usual * TIMES).clamp(PATIENCE_MIN, PATIENCE_MAX))
    }
}
