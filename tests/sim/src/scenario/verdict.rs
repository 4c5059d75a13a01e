//! What a scenario must come to, beyond what must hold at every moment.

use crate::{
    faults::Kind,
    report::{Report, recovery_allowed},
    time::Ms,
};

/// Peak to mean that is admitted in the second and in the fourth 12 h after a mass start. Random
/// places do not reach it: of 55 requests a minute the greatest of 720 minutes is 1.5 times the mean.
const PEAKS: [(usize, f64); 2] = [(2, 1.5), (4, 1.2)];
/// With fewer tokens a minute has too few requests to be even.
const TOKENS_MIN: usize = 10_000;
/// By so much one shoot may delay the renewals of the others, at the 99th percentile.
const DELAY_SECONDS: f64 = 1.0;
/// A shoot that is back serves 8 calls at a time; each takes this long, with the answer to follow.
const CALL: Ms = 100;

/// A scenario that did not come to what it must.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each is its text")]
pub enum Failed {
    #[error("peak to mean is {is:.2} in lifetime {lifetime}, and {most:.2} is admitted")]
    Uneven { lifetime: usize, is: f64, most: f64 },
    #[error("the renewals of the others are {seconds:.3} s late, and 1 s is admitted")]
    Delayed { seconds: f64 },
    #[error("after {fault:?} {left} of {backlog} wait for ever")]
    NotBack { fault: Kind, backlog: usize, left: usize },
    #[error("all are back {seconds:.1} s after {fault:?}, and {most:.1} s are admitted")]
    BackLate { fault: Kind, seconds: f64, most: f64 },
}

/// After a mass start the load gets even.
///
/// # Errors
/// [`Failed::Uneven`]
pub fn mass_start(report: &Report) -> Result<(), Failed> {
    let is_big = report.tokens >= TOKENS_MIN;
    for (lifetime, most) in PEAKS.into_iter().filter(|_| is_big) {
        let is = report.peak_to_mean.get(lifetime - 1).copied().unwrap_or(f64::INFINITY);
        if is > most {
            return Err(Failed::Uneven { lifetime, is, most });
        }
    }
    Ok(())
}

/// One shoot delays nobody else.
///
/// # Errors
/// [`Failed::Delayed`]
pub fn one_slow_shoot(report: &Report) -> Result<(), Failed> {
    let seconds = report.lateness_seconds_p99;
    if seconds < DELAY_SECONDS { Ok(()) } else { Err(Failed::Delayed { seconds }) }
}

/// After each outage all are back in backlog ÷ allowed rate + 30 s.
///
/// # Errors
/// [`Failed::NotBack`], [`Failed::BackLate`]
pub fn long_outage(report: &Report) -> Result<(), Failed> {
    for recovery in &report.recovery_seconds {
        let (fault, seconds) = (recovery.fault, recovery.recovery_seconds);
        let shoots = match fault {
            Kind::ShootAway | Kind::ShootFrozen | Kind::ShootHibernates => 1,
            _ => report.shoots,
        };
        let most = recovery_allowed(recovery, shoots, CALL);
        if recovery.left > 0 {
            let (backlog, left) = (recovery.backlog, recovery.left);
            return Err(Failed::NotBack { fault, backlog, left });
        }
        if seconds > most {
            return Err(Failed::BackLate { fault, seconds, most });
        }
    }
    Ok(())
}
