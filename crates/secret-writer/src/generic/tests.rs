//! The desk, played by hand.

use perennial_core::{
    failure::Kind,
    kubeconfig::Endpoint,
    name::Namespace,
    record::{Obstacle, OtherWriter},
};
use perennial_kube::{
    Error,
    access::ResourceVersion,
    events::Notice,
    generic::{Content, Generic, Outcome},
};

use super::desk::{Desk, Job, Standing};
use crate::fixtures::at;

const CA: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const RIGHT: &str = "what should stand there";

pub(super) fn endpoint(server: &str) -> Endpoint {
    Endpoint::new(server.to_owned(), CA.into(), None).unwrap()
}

pub(super) fn shoot(number: usize) -> Namespace {
    format!("shoot--lab--{number}").parse().unwrap()
}

fn seen(version: u64, held: Option<&str>) -> Generic {
    Generic {
        secret: crate::fixtures::secret_ref("generic"),
        uid: "uid-1".to_owned(),
        resource_version: ResourceVersion::new(version.to_string()),
        held: held.map(|text| Content::of(text.as_bytes())),
        obstacle: None,
        other_writer: None,
    }
}

/// A desk that has been told this one Secret.
fn desk(seen: Generic) -> Desk {
    let mut desk = Desk::default();
    desk.begin_snapshot();
    desk.upsert(seen);
    desk.complete_snapshot();
    desk
}

fn next(desk: &mut Desk, now: i64) -> Option<Job> {
    desk.next(at(now), |_| Some(RIGHT.to_owned()))
}

fn is_write(job: Option<Job>) -> bool {
    matches!(job, Some(Job::Write { document, .. }) if document == RIGHT)
}

fn end(desk: &mut Desk, now: i64, outcome: Result<Outcome, Error>) {
    desk.written(&seen(0, None).secret, outcome, at(now));
}

fn refused(code: u16) -> Error {
    let text = || "no".to_owned();
    let (operation, reason, message) = (text(), text(), text());
    Error::Refused { operation, code, reason, message, about: None, retry_after: None }
}

fn standing(desk: &Desk) -> Standing {
    desk.count().into_iter().find(|(_, count)| *count == 1).expect("there is one Secret").0
}

#[test]
fn e_a_secret_is_written_once_and_then_left_alone() {
    let mut desk = desk(seen(1, None));
    assert!(is_write(next(&mut desk, 0)));
    assert_eq!(next(&mut desk, 0), None, "one at a time");
    end(&mut desk, 0, Ok(Outcome::Written(seen(2, Some(RIGHT)))));
    assert_eq!(next(&mut desk, 0), None);
    desk.upsert(seen(1, None));
    assert_eq!(next(&mut desk, 5), None, "the watch tells the past");
    desk.upsert(seen(2, Some(RIGHT)));
    desk.all_changed();
    desk.look_again(at(60));
    assert_eq!(next(&mut desk, 60), None);
    assert_eq!(standing(&desk), Standing::Current);
}

#[test]
fn e_nothing_is_written_while_nobody_knows_where_the_shoot_is() {
    let mut desk = desk(seen(1, Some("old")));
    assert_eq!(desk.next(at(0), |_| None), None);
    assert_eq!(standing(&desk), Standing::Waiting);
    desk.shoot_changed(&shoot(2));
    assert_eq!(next(&mut desk, 1), None, "another shoot");
    desk.shoot_changed(&shoot(1));
    assert!(is_write(next(&mut desk, 1)));
}

#[test]
fn e_a_change_of_the_shoot_during_a_write_is_written_after_it() {
    let mut desk = desk(seen(1, None));
    assert!(is_write(desk.next(at(0), |_| Some(RIGHT.to_owned()))));
    desk.shoot_changed(&shoot(1));
    assert_eq!(desk.next(at(0), |_| Some("newer".to_owned())), None);
    end(&mut desk, 0, Ok(Outcome::Written(seen(2, Some(RIGHT)))));
    assert_eq!(desk.next(at(0), |_| Some("newer".to_owned())), None, "a second later");
    desk.look_again(at(1));
    let job = desk.next(at(1), |_| Some("newer".to_owned()));
    assert!(matches!(job, Some(Job::Write { document, .. }) if document == "newer"));
}

#[test]
fn e_somebody_who_writes_it_too_is_named_and_nobody_storms() {
    let other_writer = Some(OtherWriter { manager: "flux".to_owned(), at: None });
    let mut desk = desk(seen(1, None));
    let (mut writes, mut notices) = (0, Vec::new());
    for now in 0..1_200 {
        desk.look_again(at(now));
        match next(&mut desk, now) {
            Some(Job::Write { .. }) => {
                writes += 1;
                let version = u64::try_from(now).unwrap() * 2 + 2;
                end(&mut desk, now, Ok(Outcome::Written(seen(version, Some(RIGHT)))));
                let other_writer = other_writer.clone();
                desk.upsert(Generic { other_writer, ..seen(version + 1, Some("theirs")) });
            }
            Some(Job::Tell(notice)) => {
                desk.told(&notice, true, at(now));
                notices.push(notice);
            }
            None => {}
        }
    }
    assert!((8..=12).contains(&writes), "{writes} writes in twenty minutes");
    let [Notice { reason, message, .. }] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(reason, "GENERIC_KUBECONFIG_CONTESTED");
    assert!(message.contains("\"flux\" writes it too"), "{message}");
}

#[test]
fn e_an_immutable_secret_has_one_event_and_no_write_and_one_that_is_right_has_none() {
    let immutable = |held| Generic { obstacle: Some(Obstacle::Immutable), ..seen(1, held) };
    let mut desk = desk(immutable(Some("old")));
    let Some(Job::Tell(notice)) = next(&mut desk, 0) else { panic!("an Event") };
    assert_eq!(notice.reason, "SECRET_IMMUTABLE");
    desk.told(&notice, true, at(0));
    for now in 1..1_200 {
        desk.look_again(at(now));
        assert_eq!(next(&mut desk, now), None);
    }
    desk.look_again(at(1_200));
    assert!(matches!(next(&mut desk, 1_200), Some(Job::Tell(_))), "counted up every 20 minutes");
    desk.upsert(immutable(Some(RIGHT)));
    assert_eq!(next(&mut desk, 2_000), None);
    assert_eq!(standing(&desk), Standing::Current);
}

#[test]
fn e_a_secret_that_is_being_deleted_is_left_alone_without_a_word() {
    let mut desk = desk(Generic { obstacle: Some(Obstacle::Terminating), ..seen(1, None) });
    assert_eq!(next(&mut desk, 0), None);
    assert_eq!(standing(&desk), Standing::Obstructed);
}

#[test]
fn e_a_refusal_is_told_and_tried_again_at_growing_pauses() {
    let mut desk = desk(seen(1, None));
    let (mut writes, mut notices) = (0, 0);
    for now in 0..600 {
        desk.look_again(at(now));
        while let Some(job) = next(&mut desk, now) {
            match job {
                Job::Write { .. } => {
                    writes += 1;
                    end(&mut desk, now, Err(refused(403)));
                }
                Job::Tell(notice) => {
                    notices += 1;
                    assert_eq!(notice.reason, "GENERIC_KUBECONFIG_REFUSED");
                    desk.told(&notice, true, at(now));
                }
            }
        }
    }
    assert_eq!((writes, notices), (10, 1), "0, 1, 3, 7, … 511 s");
    assert_eq!(perennial_core::failure::Failure::kind(&refused(403)), Kind::Denied);
}

#[test]
fn e_what_vanished_from_the_seed_is_forgotten() {
    let mut desk = desk(seen(1, None));
    desk.begin_snapshot();
    desk.complete_snapshot();
    assert!(desk.is_empty());
    assert_eq!(next(&mut desk, 0), None);
}
