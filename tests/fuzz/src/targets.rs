//! Each reads any bytes as one of the things that stand on a Secret, and says what must hold.

mod claims;
mod go;
mod issued;
mod kubeconfig;
mod labels;
mod names;
mod secret;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of its folder in `corpus`.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
    /// The inputs to begin with that the sample of this number holds.
    pub seeds: fn(u64) -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target { name: "claims", run: claims::run, seeds: claims::seeds },
    Target { name: "go", run: go::run, seeds: go::seeds },
    Target { name: "issued", run: issued::run, seeds: issued::seeds },
    Target { name: "kubeconfig", run: kubeconfig::run, seeds: kubeconfig::seeds },
    Target { name: "labels", run: labels::run, seeds: labels::seeds },
    Target { name: "names", run: names::run, seeds: names::seeds },
    Target { name: "secret", run: secret::run, seeds: secret::seeds },
];

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// The values of one annotation on the right and on the wrong sample of a number.
fn annotation(key: &str, number: u64) -> Vec<Vec<u8>> {
    use crate::samples::Sample;
    let samples = [Sample::right(number), Sample::wrong(number)];
    let values = samples.iter().filter_map(|sample| sample.annotations.get(key));
    values.map(|value| value.clone().into_bytes()).collect()
}
