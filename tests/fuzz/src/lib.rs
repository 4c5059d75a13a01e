//! Nonsense in every shape.
//!
//! [`samples`] makes access Secrets at random, right ones and wrong ones, each with what is wrong
//! with it by construction; the same number makes the same Secret. Integration and end-to-end tests
//! put thousands of them on a seed. [`targets`] feed whatever reads a Secret with any bytes and say
//! what must hold; the same Secrets are their first inputs.
//!
//! ```text
//! samples ──► tests/integration, tests/e2e        (are they served, are they told of?)
//!    └──────► targets ◄── corpus/TARGET/*         (findings, and what covers much)
//!                ├── cargo test: corpus, samples and some mutations of both
//!                └── make fuzz: guided by coverage, as long as you like
//! ```

pub mod mutate;
pub mod samples;
pub mod targets;
