//! What processes cost, by the operating system, and what API servers were asked, by themselves.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use perennial_lab::{Lab, counts::RequestCounts, service::Service};

/// A tick of the kernel as it tells it to programs: `USER_HZ` is 100 on every Linux.
const TICK_MS: f64 = 10.0;

/// CPU time of a process so far, user and system, in milliseconds.
///
/// # Errors
/// There is no such process.
pub fn cpu_ms(pid: i32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may have spaces; fields count from behind it: utime is the 12th, stime the 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().unwrap_or(0.0)).sum();
    Ok(ticks * TICK_MS)
}

/// Resident memory of a process, in MiB.
///
/// # Errors
/// There is no such process.
pub fn resident_mib(pid: i32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}

/// Resident memory of each service of a lab, in MiB.
///
/// # Errors
/// One is down.
pub fn resident_of_services(lab: &Lab) -> Result<BTreeMap<String, f64>> {
    let resident = |service: &Service| {
        let pid = service.pid()?.context("a service is down")?;
        Ok((service.name().to_owned(), resident_mib(pid)?))
    };
    lab.services().iter().map(resident).collect()
}

/// CPU of the three services and the two API servers so far, and what these were asked.
#[derive(Clone, Debug)]
pub struct Reading {
    /// By name, in milliseconds.
    pub cpu: BTreeMap<String, f64>,
    /// Of the seed.
    pub seed: RequestCounts,
    /// Of the shoot.
    pub shoot: RequestCounts,
}

impl Reading {
    /// As it is now.
    ///
    /// # Errors
    /// A process is down.
    pub async fn take(lab: &Lab) -> Result<Self> {
        let mut cpu = BTreeMap::new();
        for service in lab.services() {
            let pid = service.pid()?.context("a service is down")?;
            cpu.insert(service.name().to_owned(), cpu_ms(pid)?);
        }
        for (name, cluster) in [("seed", lab.seed()), ("shoot", lab.shoot(1))] {
            let pid = cluster.process().pid()?.context("an API server is down")?;
            cpu.insert(name.to_owned(), cpu_ms(pid)?);
        }
        let (seed, shoot) = (lab.seed().request_counts(), lab.shoot(1).request_counts());
        Ok(Self { cpu, seed: seed.await?, shoot: shoot.await? })
    }

    /// CPU since then, in milliseconds.
    #[must_use]
    pub fn cpu_since(&self, before: &Self) -> BTreeMap<String, f64> {
        let spent = |name: &String| before.cpu.get(name).copied().unwrap_or_default();
        self.cpu.iter().map(|(name, cpu)| (name.clone(), cpu - spent(name))).collect()
    }

    /// What was asked since then, by kind.
    #[must_use]
    pub fn calls_since(&self, before: &Self) -> BTreeMap<String, u64> {
        let (seed, shoot) = (self.seed.since(&before.seed), self.shoot.since(&before.shoot));
        let secrets = |verb: &str| seed.count(|r| r.resource == "secrets" && r.verb == verb);
        [
            ("token_requests", shoot.token_requests()),
            ("token_reviews", shoot.token_reviews()),
            ("account_writes", shoot.writes("serviceaccounts")),
            ("secret_writes", seed.writes("secrets")),
            ("secret_gets", secrets("GET")),
            ("secret_lists", secrets("LIST")),
        ]
        .map(|(kind, count)| (kind.to_owned(), count))
        .into()
    }
}
