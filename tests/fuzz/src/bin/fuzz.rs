//! `make fuzz TARGET=… SECONDS=…`: libFuzzer drives one target, the one that `FUZZ_TARGET` names.

#![no_main]
#![expect(unsafe_code, reason = "libFuzzer calls a symbol of ours by its name")]

use std::sync::LazyLock;

use perennial_fuzz::targets::{Target, named};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    named(&name).expect("FUZZ_TARGET is one of perennial_fuzz::targets::TARGETS")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
