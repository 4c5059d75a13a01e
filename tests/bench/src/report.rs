//! The figures, as JSON and as a table.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use perennial_lab::service::SERVICES;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cli::RunArgs,
    latency::Latency,
    rounds::{Round, Rounds},
};

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    command: String,
    secrets: usize,
    /// By the number in flight.
    pub throughput: BTreeMap<usize, Rounds>,
    /// By service and kind of call.
    pub restart_calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// At ten renewals a second.
    pub latency: Option<Latency>,
}

impl Report {
    /// Nothing is measured yet.
    #[must_use]
    pub fn new(args: &RunArgs) -> Self {
        let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
        let (throughput, restart_calls) = Default::default();
        Self {
            command: format!("bench {command}"),
            secrets: args.secrets,
            throughput,
            restart_calls,
            latency: None,
        }
    }

    /// Writes the JSON, a table beside it, and shows that.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn write(&self, out: &Path) -> Result<()> {
        let table = self.table();
        save(out, &self.figures(), &table)?;
        println!("{table}\nbench: {}", out.display());
        Ok(())
    }

    /// Counts are the same on every machine, so they are held to.
    ///
    /// # Errors
    /// The first that is not as promised.
    pub fn hold_counts(&self) -> Result<()> {
        let once = |kind: &str| matches!(kind, "token_requests" | "secret_writes");
        for round in self.throughput.values().flat_map(|rounds| &rounds.services) {
            for (kind, count) in &round.calls {
                let wanted = if once(kind) { 1.0 } else { 0.0 };
                anyhow::ensure!(
                    (count - wanted).abs() < f64::EPSILON,
                    "{count} {kind} for each renewal, where {wanted} are promised"
                );
            }
        }
        for (service, calls) in &self.restart_calls {
            let dear = calls.iter().filter(|(kind, _)| *kind != "secret_lists");
            let dear: u64 = dear.map(|(_, count)| count).sum();
            anyhow::ensure!(dear == 0, "a restart of {service} costs calls: {calls:?}");
        }
        Ok(())
    }

    fn figures(&self) -> Value {
        let by_flight = |figure: fn(&Rounds) -> f64| -> BTreeMap<String, f64> {
            let all = self.throughput.iter();
            all.map(|(in_flight, rounds)| (in_flight.to_string(), figure(rounds))).collect()
        };
        let calls = self.throughput.values().flat_map(|rounds| &rounds.services).next();
        json!({
            "throughput_ratio": by_flight(Rounds::ratio),
            "cpu_ratio": by_flight(Rounds::cpu_ratio),
            "cpu_ms_per_renewal": by_flight(Rounds::cpu_of_services),
            "calls_per_renewal": calls.map(|round| &round.calls),
            "resident_mib": self.throughput.values().next_back().map(|rounds| json!({
                self.secrets.to_string(): rounds.resident_mib,
            })),
            "added_latency_ms": self.latency.as_ref().map(|latency| json!({
                "p50": latency.added[0], "p99": latency.added[1],
            })),
            "restart_calls": self.restart_calls,
            "versions": {
                "build": if cfg!(debug_assertions) { "debug" } else { "release" },
                "perennial": env!("CARGO_PKG_VERSION"),
                "kube_apiserver": perennial_lab::binaries::KUBERNETES_VERSION,
            },
            "command": self.command,
            "raw": self,
        })
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "| in flight | bare loop | services | ratio | CPU bare | CPU services | ratio | API servers, bare | services |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for (in_flight, rounds) in &self.throughput {
            let servers = |rounds: &[Round]| median(rounds, |r| r.cpu(&["seed", "shoot"]));
            let _ = writeln!(
                text,
                "| {in_flight} | {:.0}/s ({}) | {:.0}/s ({}) | {:.3} | {:.3} ms | {:.3} ms | {:.2} | {:.2} ms | {:.2} ms |",
                median(&rounds.bare, |r| r.per_second),
                spread(&rounds.bare),
                median(&rounds.services, |r| r.per_second),
                spread(&rounds.services),
                rounds.ratio(),
                median(&rounds.bare, |r| r.cpu(&["bare"])),
                rounds.cpu_of_services(),
                rounds.cpu_ratio(),
                servers(&rounds.bare),
                servers(&rounds.services),
            );
        }
        for (in_flight, rounds) in &self.throughput {
            let _ = writeln!(text, "\nServices with {in_flight} in flight:\n");
            for service in SERVICES {
                let cpu = median(&rounds.services, |r| r.cpu(&[service]));
                let resident = rounds.resident_mib.get(service).copied().unwrap_or_default();
                let _ = writeln!(text, "- {service}: {cpu:.3} ms a renewal, {resident:.1} MiB");
            }
        }
        if let Some(Latency { bare, services, added }) = &self.latency {
            let _ = writeln!(
                text,
                "\nAt 10 a second, p50 and p99: bare {:.2} and {:.2} ms, services {:.2} and {:.2} ms, added {:.2} and {:.2} ms",
                bare[0], bare[1], services[0], services[1], added[0], added[1]
            );
        }
        text
    }
}

/// Writes figures as JSON, and their table as Markdown beside it.
///
/// # Errors
/// There is no place for it.
pub(crate) fn save(out: &Path, figures: &impl Serialize, table: &str) -> Result<()> {
    let folder = out.parent().context("--out is no file")?;
    fs::create_dir_all(folder)?;
    fs::write(out, serde_json::to_string_pretty(figures)? + "\n")?;
    Ok(fs::write(out.with_extension("md"), table)?)
}

impl Round {
    pub(crate) fn cpu(&self, of: &[&str]) -> f64 {
        of.iter().filter_map(|name| self.cpu_ms.get(*name)).sum()
    }
}

impl Rounds {
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.services, |r| r.per_second) / median(&self.bare, |r| r.per_second)
    }

    pub(crate) fn cpu_of_services(&self) -> f64 {
        median(&self.services, |r| r.cpu(&SERVICES))
    }

    fn cpu_ratio(&self) -> f64 {
        self.cpu_of_services() / median(&self.bare, |r| r.cpu(&["bare"]))
    }
}

pub(crate) fn median(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(figure).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the most.
fn spread(rounds: &[Round]) -> String {
    let all = || rounds.iter().map(|round| round.per_second);
    format!("{:.0} to {:.0}", all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max))
}
