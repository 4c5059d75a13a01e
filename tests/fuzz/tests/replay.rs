//! The corpus, the samples, and some damage to both, through every target. It asks for no engine,
//! so CI runs it with all other tests.

use std::{collections::BTreeMap, fs, path::PathBuf};

use fastrand::Rng;
use perennial_core::{
    inputs::{Interpretation, Refusal},
    keys,
    name::SecretRef,
    record::{Record, SecretView},
};
use perennial_fuzz::{
    mutate::mutate,
    samples::Sample,
    targets::{TARGETS, Target},
};

/// Samples of each kind whose parts are inputs.
const SAMPLES: u64 = 500;
/// Damaged inputs for each target.
const MUTATIONS: usize = 8_000;

/// What was found once, or covers much.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| fs::read(file).expect("a readable file")).collect()
}

#[test]
fn b10_no_parser_panics_or_errs_on_what_was_found_before_and_on_what_is_like_it() {
    for target in TARGETS {
        let mut inputs = corpus(&target);
        inputs.extend((0..SAMPLES).flat_map(target.seeds));
        inputs.iter().for_each(|input| (target.run)(input));
        let rng = &mut Rng::with_seed(1);
        for _ in 0..MUTATIONS {
            let (one, other) = (rng.usize(..inputs.len()), rng.usize(..inputs.len()));
            (target.run)(&mutate(rng, &inputs[one], &inputs[other]));
        }
    }
}

/// What Perennial makes of a sample.
fn verdict(sample: &Sample) -> Result<(), Refusal> {
    let secret = SecretRef::parse("shoot--lab--1", "shoot-access-x").expect("names");
    let data = |key: &str| sample.data.get(key).map(Vec::as_slice);
    let view = SecretView {
        secret: &secret,
        uid: "uid-1",
        labels: &BTreeMap::new(),
        annotations: &sample.annotations,
        token: data(keys::DATA_TOKEN),
        kubeconfig: data(keys::DATA_KUBECONFIG),
        bundle: None,
        immutable: false,
        terminating: false,
    };
    Record::reduce(&view, &Interpretation::default()).inputs.map(drop)
}

#[test]
fn b10_ten_thousand_right_secrets_are_valid_and_as_many_wrong_ones_are_refused_for_their_mistake() {
    for number in 0..10_000 {
        for right in [Sample::right(number), Sample::corrected(number)] {
            assert_eq!(verdict(&right), Ok(()), "{number}: {right:?}");
        }
        let wrong = Sample::wrong(number);
        let refusal = verdict(&wrong).expect_err(&format!("{number}: {wrong:?}"));
        let is_it = |key: &str, reason: &str| refusal.key == key && refusal.reason == reason;
        let named = wrong.mistakes.iter().any(|mistake| is_it(mistake.key, mistake.reason));
        assert!(named, "{number}: {refusal:?} but {:?}", wrong.mistakes);
    }
}

#[test]
fn the_same_number_makes_the_same_secret() {
    for number in 0..100 {
        let twice = [Sample::wrong(number), Sample::wrong(number)];
        assert_eq!(format!("{:?}", twice[0]), format!("{:?}", twice[1]));
    }
}
