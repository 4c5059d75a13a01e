//! How many renewals are planned when.

use std::time::Duration;

use perennial_core::shoot::ShootId;
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::convert::{duration, duration_from_optional, timestamp};
use tokio::task;

use super::{Service, error::Error, namespace};
use perennial_fleet::{
    forecast::{Planned, Slots},
    request,
};

/// Most slots of an answer.
pub(super) const SLOTS_MAX: usize = 2_000;
/// Most shoots in an answer: with 2,000 slots of up to 127 renewals each they make 1 MB, of the 4 MB
/// that a message may have.
const SHOOTS_MAX: usize = 500;
const HORIZON_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
const HORIZON_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
const SLOT_DEFAULT_SECONDS: i64 = 10 * 60;
/// Secrets that are read while the board is locked; each costs about 0.1 µs.
const SECRETS_AT_ONCE: usize = 2_000;

impl Service {
    pub(super) async fn forecast(
        &self,
        message: &proto::ForecastRequest,
    ) -> Result<proto::ForecastResponse, Error> {
        let only = namespace(&message.namespace)?;
        let after: Option<ShootId> =
            namespace(&message.page_token).map_err(|_| Error::PageToken)?;
        let wanted = match usize::try_from(message.page_size) {
            Ok(size @ 1..=SHOOTS_MAX) => size,
            Ok(_) | Err(_) => SHOOTS_MAX,
        };
        let wanted = if message.per_shoot { wanted } else { 0 };
        let (now, known, audit) =
            self.board.read(|fleet, now| (now, fleet.has_records(), fleet.is_auditing()));
        if !known {
            let why = "the first whole set of records is not in; is the secret-writer ready?";
            return Err(request::Error::NotReady(why.to_owned()).into());
        }
        let slots = slots(now.as_second(), message)?;
        let (mut all, mut shoots, mut more) = (Planned::default(), Vec::new(), false);
        let mut last: Option<ShootId> = None;
        loop {
            let part = self.board.read(|fleet, _| {
                fleet.forecast(&slots, only.as_ref(), last.as_ref(), SECRETS_AT_ONCE)
            });
            let Some((shoot, _)) = part.last() else { break };
            last = Some(shoot.clone());
            for (shoot, planned) in part {
                all.add(&planned);
                let behind = after.as_ref().is_none_or(|after| shoot > *after);
                more |= behind && shoots.len() == wanted;
                if behind && shoots.len() < wanted {
                    let namespace = shoot.to_string();
                    let planned = Some(self::planned(planned));
                    shoots.push(proto::ShootForecast { namespace, planned });
                }
            }
            task::yield_now().await; // the engine shares the thread, and wants the board
        }
        let next = shoots.last().filter(|_| more).map(|shoot| shoot.namespace.clone());
        let answer = in_all(&slots, all);
        let next_page_token = next.unwrap_or_default();
        Ok(proto::ForecastResponse { shoots, next_page_token, audit, ..answer })
    }
}

fn slots(now: i64, message: &proto::ForecastRequest) -> Result<Slots, Error> {
    let horizon = duration_from_optional("horizon", message.horizon);
    let horizon = horizon.map_err(|_| Error::Horizon)?.unwrap_or(HORIZON_DEFAULT);
    let horizon = match i64::try_from(horizon.as_secs()) {
        Ok(seconds @ 1..) if horizon <= HORIZON_MAX => seconds,
        Ok(_) | Err(_) => return Err(Error::Horizon),
    };
    // One more than the horizon needs: the first one may have begun.
    let count = |seconds: i64| {
        let begin = now - now.rem_euclid(seconds);
        let count = (now + horizon - begin).unsigned_abs().div_ceil(seconds.unsigned_abs());
        Slots { begin, seconds, count: usize::try_from(count).unwrap_or(usize::MAX) }
    };
    let slot = duration_from_optional("slot", message.slot);
    let slots = match slot.map_err(|_| Error::Slot)? {
        None => {
            let least = horizon.unsigned_abs().div_ceil(SLOTS_MAX as u64 - 1);
            let times = least.div_ceil(SLOT_DEFAULT_SECONDS.unsigned_abs()).max(1);
            count(SLOT_DEFAULT_SECONDS.saturating_mul(i64::try_from(times).unwrap_or(i64::MAX)))
        }
        Some(slot) => match i64::try_from(slot.as_secs()) {
            Ok(seconds @ 1..) if slot.subsec_nanos() == 0 && slot <= HORIZON_MAX => count(seconds),
            Ok(_) | Err(_) => return Err(Error::Slot),
        },
    };
    if slots.count > SLOTS_MAX { Err(Error::Slot) } else { Ok(slots) }
}

/// The totals.
fn in_all(slots: &Slots, all: Planned) -> proto::ForecastResponse {
    let begin_of = |slot: usize| {
        let ahead = i64::try_from(slot).unwrap_or(i64::MAX).saturating_mul(slots.seconds);
        jiff::Timestamp::from_second(slots.begin.saturating_add(ahead)).ok().map(timestamp)
    };
    let peak = all.slots.iter().copied().max().unwrap_or_default();
    let at = all.slots.iter().position(|count| *count == peak && peak > 0);
    let mean = all.in_slots() as f64 / all.slots.len().max(1) as f64;
    proto::ForecastResponse {
        begin: begin_of(0),
        slot: Some(duration(Duration::from_secs(slots.seconds.unsigned_abs()))),
        planned: Some(planned(all)),
        peak,
        peak_at: at.and_then(begin_of),
        mean,
        ..proto::ForecastResponse::default()
    }
}

fn planned(planned: Planned) -> proto::Planned {
    let Planned { slots, beyond, waiting, under_way, without_moment } = planned;
    proto::Planned { slots, beyond, waiting, under_way, without_moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600;

    fn asked(horizon: Option<u64>, slot: Option<u64>) -> Result<(i64, i64, usize), String> {
        let length = |milliseconds: u64| duration(Duration::from_millis(milliseconds));
        let message = proto::ForecastRequest {
            horizon: horizon.map(|seconds| length(seconds * 1_000)),
            slot: slot.map(length),
            ..proto::ForecastRequest::default()
        };
        let slots = slots(1_000_000, &message).map_err(|error| error.to_string())?;
        Ok((slots.begin, slots.seconds, slots.count))
    }

    #[test]
    fn slots_begin_at_multiples_and_reach_to_the_horizon() {
        assert_eq!(asked(None, None), Ok((999_600, 600, 145)), "24 h by ten minutes");
        assert_eq!(asked(Some(60), Some(60_000)), Ok((999_960, 60, 2)));
        assert_eq!(asked(Some(10), Some(1_000)), Ok((1_000_000, 1, 10)));
        let (_, seconds, count) = asked(Some(31 * DAY), None).unwrap();
        assert_eq!((seconds, count <= SLOTS_MAX), (1_800, true), "{count}");
    }

    #[test]
    fn what_no_forecast_can_be_for_is_refused_by_its_field() {
        for horizon in [0, 31 * DAY + 1, 1 << 50] {
            assert!(asked(Some(horizon), None).unwrap_err().contains("horizon"), "{horizon}");
        }
        for slot in [0, 1_000, 90_500, 1 << 60] {
            assert!(asked(Some(DAY), Some(slot)).unwrap_err().contains("slot"), "{slot}");
        }
    }
}
