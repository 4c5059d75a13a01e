//! `sim`, see [`perennial_sim::cli`].

use clap::Parser as _;
use perennial_sim::cli::Cli;

fn main() -> anyhow::Result<()> {
    Cli::parse().run()
}
