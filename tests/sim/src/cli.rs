//! The command line of `sim`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::{
    planner::{self, Rule},
    plot,
    report::{Report, peak_to_mean},
    scenario::{Ask, Watch, long_outage, mass_start, one_slow_shoot, replicas, verdict, year},
    time::{DAY, HOUR, YEAR, stamp},
    world::World,
};

/// A fleet through a year in minutes: the real scheduler against models of everything around it.
///
/// The first invariant that does not hold ends a run with exit code 1, the seed, the moment, the
/// Secret and its last events; so does a scenario that does not come to what it must. The same
/// command gives the same run to the byte.
#[derive(Debug, Parser)]
#[command(
    name = "sim",
    after_help = "Examples:
  sim year                             30,000 tokens, the whole fault list
  sim year --years 0.0822 --seed 7     a month of another one
  sim replicas --replicas 5            schedulers that share the shoots, and campaigns
  sim mass-start                       how soon the load of a mass start gets even"
)]
pub struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Everything goes wrong that can, within what lifetimes allow
    Year {
        /// How long, in years; 0.0822 is a month
        #[arg(long, default_value_t = 1.0)]
        years: f64,
        #[command(flatten)]
        common: Common,
    },
    /// All tokens are missing at once
    MassStart(Common),
    /// The same with three other ways to choose the moments, as a plot and a table
    Compare {
        #[command(flatten)]
        common: Common,
        /// Where the plot goes
        #[arg(long, default_value = "docs/mass-start.svg")]
        plot: PathBuf,
    },
    /// Outages that are longer than every life
    LongOutage(Common),
    /// One shoot is away, frozen and slow; the others must not notice
    OneSlowShoot(Common),
    /// Several schedulers share the shoots while they crash, stand still, come and go
    Replicas {
        /// How many run; two more may be added at times
        #[arg(long, default_value_t = 3)]
        replicas: usize,
        /// How long, in days
        #[arg(long, default_value_t = 3.0)]
        days: f64,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Clone, Debug, Args)]
struct Common {
    /// Access Secrets, 25 to a shoot
    #[arg(long, default_value_t = 30_000)]
    tokens: usize,
    /// All that is drawn is drawn from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the report goes
    #[arg(long, default_value = "target/sim/latest.json")]
    out: PathBuf,
}

/// Shows about once a second how it goes.
struct Progress {
    begun: Instant,
    shown: Instant,
    span: i64,
}

#[expect(clippy::disallowed_methods, reason = "how long it took is of no influence on the run")]
fn wall() -> Instant {
    Instant::now()
}

impl Progress {
    fn new(span: i64) -> Self {
        let begun = wall();
        Self { begun, shown: begun, span }
    }

    fn show(&mut self, world: &World) {
        let now = wall();
        if now.duration_since(self.shown) < Duration::from_secs(1) {
            return;
        }
        self.shown = now;
        let took = now.duration_since(self.begun).as_secs_f64();
        let left = took * (self.span - world.now) as f64 / world.now.max(1) as f64;
        let (date, renewals) = (stamp(world.now, 0), world.ledger.renewals);
        let rate = renewals as f64 / took;
        let line = format!("{date:.0}  {renewals} renewals, {rate:.0}/s, {left:.0} s left");
        let _ = writeln!(io::stderr(), "{line}"); // nobody may be looking
    }
}

impl Cli {
    /// Plays what was asked for.
    ///
    /// # Errors
    /// The first invariant that does not hold; a report that cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        match self.scenario {
            Scenario::Year { years, common } => {
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds of some years")]
                let span = (years * YEAR as f64) as i64;
                common.play(span, |ask, watch| Ok(year::year(ask, watch)?), |_| Ok(()))
            }
            Scenario::MassStart(common) => {
                let play = |ask, watch: Watch<'_>| Ok(mass_start::mass_start(ask, watch)?.0);
                common.play(mass_start::LIFETIMES * 12 * HOUR, play, verdict::mass_start)
            }
            Scenario::Compare { common, plot } => common.compare(&plot),
            Scenario::LongOutage(common) => {
                let play = |ask, watch: Watch<'_>| Ok(long_outage::long_outage(ask, watch)?);
                common.play(long_outage::SPAN, play, verdict::long_outage)
            }
            Scenario::OneSlowShoot(common) => {
                let play =
                    |ask, watch: Watch<'_>| Ok(one_slow_shoot::one_slow_shoot(ask, watch)?.0);
                common.play(one_slow_shoot::SPAN, play, verdict::one_slow_shoot)
            }
            Scenario::Replicas { replicas, days, common } => {
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds of some days")]
                let span = (days * DAY as f64) as i64;
                let play = |ask, watch: Watch<'_>| Ok(replicas::replicas(ask, replicas, watch)?);
                common.play(span, play, |_| Ok(()))
            }
        }
    }
}

impl Common {
    fn play(
        &self,
        span: i64,
        scenario: impl FnOnce(Ask, Watch<'_>) -> anyhow::Result<Report>,
        verdict: impl FnOnce(&Report) -> Result<(), verdict::Failed>,
    ) -> anyhow::Result<()> {
        let mut progress = Progress::new(span);
        let ask = Ask { tokens: self.tokens, seed: self.seed, span };
        let mut report = scenario(ask, &mut |world| progress.show(world))?;
        report.wall_seconds = wall().duration_since(progress.begun).as_secs_f64();
        write(&self.out, &serde_json::to_string_pretty(&report)?)?;
        let brief = brief(&report);
        writeln!(io::stdout(), "{brief}\nthe report is in {}", self.out.display())?;
        Ok(verdict(&report)?)
    }

    /// Plays a mass start by each rule, and draws and tells what came of it.
    fn compare(&self, plot: &Path) -> anyhow::Result<()> {
        let span = mass_start::LIFETIMES * 12 * HOUR;
        let mut progress = Progress::new(span);
        let ask = Ask { tokens: self.tokens, seed: self.seed, span };
        let (_, ours) = mass_start::mass_start(ask, &mut |world| progress.show(world))?;
        let mut curves = vec![("Perennial".to_owned(), ours)];
        curves.extend(
            Rule::ALL
                .map(|rule| (rule.to_string(), planner::play(rule, self.tokens, self.seed, span))),
        );
        let rows = curves.iter().map(|(name, curve)| row(name, curve, self, span));
        let table: Vec<_> = rows.collect();
        writeln!(io::stdout(), "{}", table.join("\n"))?;
        write(plot, &plot::draw(&curves)?)
    }
}

fn row(name: &str, curve: &[u32], common: &Common, span: i64) -> String {
    let peaks: Vec<_> = peak_to_mean(curve, span).iter().map(|peak| format!("{peak:.2}")).collect();
    let tokens = curve.iter().map(|count| f64::from(*count)).sum::<f64>();
    let days = span as f64 / DAY as f64;
    let each = tokens / common.tokens as f64 / days;
    format!("| {name} | {} | {each:.2} |", peaks.join(" | "))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    fs::write(path, format!("{text}\n")).with_context(|| format!("write {}", path.display()))
}

fn brief(report: &Report) -> String {
    let sharing = report.sharing.as_ref().map_or_else(String::new, |sharing| {
        let (hand_overs, gap) = (sharing.hand_overs, sharing.longest_gap_seconds);
        format!(", {hand_overs} hand-overs, the longest gap {gap:.1} s")
    });
    let campaigns = report.campaigns.as_ref().map_or_else(String::new, |campaigns| {
        let (begun, done) = (campaigns.begun, campaigns.done);
        format!(", {done} of {begun} campaigns done")
    });
    format!(
        "{}: seed {}, {} tokens, {:.1} days in {:.0} s: {} expired seconds, {} renewals, {} tokens \
         issued in vain, p99 of lateness {:.3} s{sharing}{campaigns}, trace {}",
        report.scenario,
        report.seed,
        report.tokens,
        report.days,
        report.wall_seconds,
        report.expired_seconds,
        report.renewals,
        report.issued_in_vain,
        report.lateness_seconds_p99,
        report.trace,
    )
}
