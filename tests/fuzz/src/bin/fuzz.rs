//! `make fuzz TARGET=… SECONDS=…`: libFuzzer drives one target, the one that `FUZZ_TARGET` names.
//! Into the folder `FUZZ_SEEDS` it first writes the samples.

#![no_main]

use std::{fs, path::Path, sync::LazyLock};

use perennial_fuzz::targets::{Target, named};

/// Samples that are inputs to begin with.
const SAMPLES: u64 = 300;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    named(&name).expect("FUZZ_TARGET is one of perennial_fuzz::targets::TARGETS")
});

fn write_seeds(folder: &Path) {
    let seeds = (0..SAMPLES).flat_map(TARGET.seeds);
    for (number, seed) in seeds.enumerate() {
        fs::write(folder.join(format!("sample-{number}")), seed).expect("a folder to write in");
    }
}

libfuzzer_sys::fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            write_seeds(Path::new(&folder));
        }
    },
    |bytes: &[u8]| (TARGET.run)(bytes)
);
