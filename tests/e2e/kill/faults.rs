//! What is done to the services.

use std::{fmt, time::Duration};

use perennial_lab::service::SERVICES;

use crate::house::House;

/// How long a service is frozen: half of the time between two renewals.
pub(super) const FROZEN: Duration = Duration::from_secs(3);

/// Services struck at once.
pub(super) struct Fault {
    services: Vec<&'static str>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// SIGSTOP, and SIGCONT after a while.
    Freeze,
    /// SIGKILL; started again at once.
    Kill,
}

/// Every service, every pair and all three are frozen, then killed. The kill of all comes last.
pub(super) fn all() -> Vec<Fault> {
    let [issuer, writer, scheduler] = SERVICES;
    let sets: [&[&'static str]; 7] = [
        &[issuer],
        &[writer],
        &[scheduler],
        &[issuer, writer],
        &[writer, scheduler],
        &[scheduler, issuer],
        &SERVICES,
    ];
    let of = |kind| sets.map(|services| Fault { services: services.to_vec(), kind });
    of(Kind::Freeze).into_iter().chain(of(Kind::Kill)).collect()
}

impl Fault {
    /// Processes that it kills.
    pub(super) fn kills(&self) -> u64 {
        match self.kind {
            Kind::Freeze => 0,
            Kind::Kill => self.services.len() as u64,
        }
    }

    /// Back at the moment of the last blow: the kill, or the end of the freeze.
    pub(super) async fn strike(&self, house: &House) {
        let services = || self.services.iter().map(|name| house.lab.service(name));
        match self.kind {
            Kind::Kill => services().for_each(|service| {
                service.kill().unwrap();
            }),
            Kind::Freeze => {
                services().for_each(|service| service.process().freeze().unwrap());
                tokio::time::sleep(FROZEN).await;
                services().for_each(|service| service.process().thaw().unwrap());
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Freeze => "freeze",
            Kind::Kill => "kill",
        };
        write!(f, "{kind} {}", self.services.join(" + "))
    }
}
