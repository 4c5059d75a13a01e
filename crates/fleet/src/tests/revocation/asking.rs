use perennial_core::{failure::Failure as _, generation::REFUSED_WITHIN, stop::Stop};

use super::*;
use crate::revocation::REVOCATIONS_MAX;

#[test]
fn d_a_revocation_is_a_token_a_grace_a_deletion_and_a_proof() {
    let mut stage = Stage::new();
    assert_eq!(stage.revoke(0, None), Ok(1));
    assert_eq!(stage.phase(), Phase::Token);
    let order = stage.order(200);
    assert_eq!((order.reason, order.generation), (Reason::Revoked, 2));
    assert_eq!(order.grace, Some(Duration::from_secs(240)), "what is usual");
    assert_eq!(stage.progress().detail, "it is being done");
    let answer = stage.carry_out(&order, None).unwrap();
    stage.world.fleet.finished(at(100), &order.secret, order.attempt, Ok(answer)).unwrap();
    let progress = stage.progress();
    assert_eq!((progress.phase, progress.until), (Phase::Grace, Some(at(340))));
    assert_eq!((progress.generation, progress.present), (1, Some(2)));
    stage.show();
    stage.run_to(339);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Grace, vec![1, 2]));
    stage.run_to(340);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Done { refused: true }, vec![2]));
    stage.run_to(HOUR);
    assert_eq!((stage.tokens, stage.numbers()), (1, vec![2]), "one token, and never 1 again");
}

#[test]
fn d_without_an_old_token_to_try_it_is_done_when_no_cache_can_have_it() {
    let mut stage = Stage::new();
    stage.old_token_at_hand = false;
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(105);
    let progress = stage.progress();
    assert_eq!(progress.phase, Phase::Confirming, "{progress:?}");
    let until = progress.until.unwrap();
    assert!(until <= at(105).checked_add(REFUSED_WITHIN).unwrap());
    stage.run_to(until.as_second() - 1);
    assert_eq!(stage.phase(), Phase::Confirming);
    stage.run_to(until.as_second());
    assert_eq!(stage.phase(), Phase::Done { refused: false });
}

#[test]
fn d_while_an_old_token_is_still_taken_it_is_not_done_and_is_asked_for_again() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(101);
    let order = stage.order(110);
    assert_eq!(order.reason, Reason::GenerationLeft);
    stage.present.retain(|generation| generation.number == 2);
    stage.show();
    stage.world.fail(&order, Kind::Unavailable);
    assert_eq!(stage.world.ordered_at(stage.world.now), [""; 0]);
    let progress = stage.progress();
    assert_eq!(
        (progress.phase, progress.detail.as_str()),
        (Phase::Confirming, "it is unavailable")
    );
    let again = stage.order(stage.world.now + 5);
    assert_eq!(again.reason, Reason::GenerationLeft);
    let record = stage.record.clone();
    let refused = Answer { record, old_token_refused: true };
    let now = at(stage.world.now);
    stage.world.fleet.finished(now, &again.secret, again.attempt, Ok(refused)).unwrap();
    assert_eq!((stage.phase(), stage.tokens), (Phase::Done { refused: true }, 1));
    assert_eq!(stage.world.next_order(HOUR).map(|(_, order)| order.reason), None);
}

#[test]
fn d_asking_again_begins_nothing_anew_and_the_shortest_grace_wins_at_once() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(600)).unwrap();
    stage.run_to(110);
    assert_eq!(stage.numbers(), [1, 2]);
    for generation in [0, 1] {
        assert_eq!(stage.revoke(generation, None), Ok(1));
        assert_eq!(stage.revoke(generation, Some(1_000)), Ok(1), "a longer one changes nothing");
    }
    stage.run_to(120);
    let progress = stage.progress();
    assert_eq!(progress.until, Some(at(701)));
    assert!(progress.detail.contains("a longer one (16m40s) changes nothing"), "{progress:?}");
    stage.revoke(1, Some(60)).unwrap();
    assert_eq!(stage.progress().until, Some(at(161)), "from when the token was written");
    stage.run_to(150);
    assert_eq!(stage.numbers(), [1, 2]);
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(151);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Done { refused: true }, vec![2]));
    assert_eq!(stage.revoke(1, None), Ok(1));
    assert_eq!(stage.phase(), Phase::Done { refused: true }, "for whoever lost the stream");
    stage.run_to(HOUR);
    assert_eq!(stage.tokens, 1);
}

#[test]
fn d_a_longer_grace_changes_nothing_where_the_first_one_was_what_is_usual() {
    let mut stage = Stage::new();
    stage.revoke(0, None).unwrap();
    stage.revoke(0, Some(1_000)).unwrap();
    let order = stage.order(200);
    assert_eq!(order.grace, Some(Duration::from_secs(240)));
    let answer = stage.carry_out(&order, None).unwrap();
    stage.world.end(&order, Ok(answer.record));
    stage.show();
    let detail = stage.progress().detail;
    assert!(detail.contains("a longer one (16m40s) changes nothing"), "{detail}");
}

#[test]
fn d_a_shorter_grace_that_is_not_over_yet_ends_by_itself() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(600)).unwrap();
    stage.run_to(110);
    stage.revoke(0, Some(60)).unwrap();
    stage.run_to(160);
    assert_eq!(stage.numbers(), [1, 2]);
    stage.run_to(161);
    assert_eq!(stage.numbers(), [2]);
}

#[test]
fn d_when_one_is_done_the_next_one_revokes_the_next_generation() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(200);
    assert_eq!(stage.revoke(0, Some(0)), Ok(2));
    assert_eq!(stage.phase(), Phase::Token);
    stage.run_to(400);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Done { refused: true }, vec![3]));
}

#[test]
fn d_who_asks_for_a_newer_generation_meanwhile_does_not_cut_its_grace_short() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(101);
    let deletion = stage.order(105);
    assert_eq!(stage.revoke(2, Some(300)), Ok(2));
    let answer = stage.carry_out(&deletion, None).unwrap();
    let now = at(stage.world.now);
    stage.world.fleet.finished(now, &deletion.secret, deletion.attempt, Ok(answer)).unwrap();
    stage.show();
    assert_eq!(stage.phase(), Phase::Token, "what was proved is about generation 1");
    stage.run_to(200);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Grace, vec![2, 3]));
}

#[test]
fn d_what_holds_a_token_back_is_told_and_until_when() {
    let mut stage = Stage::new();
    let note = stage.record.issued.as_mut().unwrap();
    (note.at, note.streak) = (at(95), 3);
    stage.record.memory = Some(note.memory().spoilt());
    stage.restart();
    stage.revoke(0, None).unwrap();
    assert_eq!(stage.world.ordered_at(101), [""; 0]);
    let progress = stage.progress();
    assert_eq!((progress.phase, progress.until), (Phase::Token, Some(at(135))));
    assert!(progress.detail.contains("in a row"), "{}", progress.detail);
    stage.world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    assert_eq!(stage.world.ordered_at(135), [""; 0]);
    assert_eq!(stage.progress().detail, "the shoot is not reached: connection refused");
    stage.world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    stage.show();
    stage.run_to(400);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Done { refused: true }, vec![2]));
}

#[test]
fn d_what_is_bound_to_nothing_cannot_be_revoked_and_the_text_says_what_can_be_done() {
    let records = [fresh(NAME, 0), fresh("shoot-1/b", 0), fresh("shoot-1/c", 0)];
    let mut world = World::of(&records, &reachable());
    let error = world.fleet.revoke(at(0), &secret(NAME), 0, None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "NOT_REVOCABLE"));
    insta::assert_snapshot!("not_revocable", error.to_string());

    let record = revocable("shoot-1/d");
    world.record(Event::Upsert(written(&record, 0, Reason::NothingHeld)));
    let error = world.fleet.revoke(at(0), &secret("shoot-1/d"), 0, None).unwrap_err();
    assert_eq!(error.reason(), "NOT_REVOCABLE");
    assert!(error.to_string().contains("its present token is bound to nothing yet"), "{error}");
    assert!(!error.to_string().contains("annotate"), "{error}");
}

#[test]
fn d_what_cannot_be_revoked_is_refused_at_once_with_the_reason() {
    let mut stage = Stage::new();
    let error = stage.revoke(2, None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Invalid, "NO_SUCH_GENERATION"));
    let error = stage.world.fleet.revoke(at(0), &secret("shoot-1/z"), 0, None).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    stage.world.record(Event::Upsert(invalid("shoot-1/z")));
    let error = stage.world.fleet.revoke(at(0), &secret("shoot-1/z"), 0, None).unwrap_err();
    assert_eq!(error.reason(), "DURATION_INVALID");
    stage.world.record(Event::Lost);
    assert_eq!(stage.revoke(0, None).unwrap_err().kind(), Kind::Unavailable);

    let audit = Settings { audit: true, ..settings(64, 8) };
    let mut world = World { fleet: running(audit), now: 0 };
    world.shoots(&reachable());
    world.records(&[Stage::new().record]);
    let error = world.fleet.revoke(at(0), &secret(NAME), 0, None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "AUDIT_MODE"));
}

#[test]
fn d_a_secret_that_goes_or_is_revocable_no_longer_ends_its_revocation() {
    let mut stage = Stage::new();
    stage.revoke(0, None).unwrap();
    stage.run_to(110);
    stage.record.inputs.as_mut().unwrap().revocable = false;
    stage.world.record(Event::Upsert(stage.record.clone()));
    let ended = stage.world.fleet.revocation(at(110), &secret(NAME)).unwrap();
    let ended = ended.unwrap_err();
    assert_eq!(ended.reason(), "NOT_REVOCABLE");
    assert!(ended.to_string().contains("generations up to 1 stay in the shoot"), "{ended}");
    stage.world.record(Event::Removed(secret(NAME)));
    let ended = stage.world.fleet.revocation(at(110), &secret(NAME)).unwrap();
    assert_eq!(ended.unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn d_not_more_revocations_are_remembered_than_there_is_room_for_and_done_ones_are_forgotten() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(200);
    assert!(stage.world.fleet.revocation(at(200), &secret(NAME)).is_some());
    stage.run_to(1_000);
    assert_eq!(stage.world.fleet.revocation(at(1_000), &secret(NAME)), None);
    for number in 0..REVOCATIONS_MAX {
        let name = format!("shoot-1/secret-{number}");
        let record = written(&revocable(&name), 1_000, Reason::NothingHeld);
        stage.world.record(Event::Upsert(bound(&record, 1, None)));
        stage.world.fleet.revoke(at(1_000), &secret(&name), 0, None).unwrap();
    }
    let error = stage.revoke(0, None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Throttled, "TOO_MANY_REVOCATIONS"));
}

#[test]
fn d_generations_of_revocable_secrets_are_to_be_observed_and_of_no_other() {
    let mut stage = Stage::new();
    stage.world.record(Event::Upsert(fresh("shoot-1/b", 0)));
    let told = stage.world.fleet.observations(at(100));
    let families: Vec<_> = told.iter().flat_map(|told| &told.families).collect();
    assert_eq!(families, [&Family::new(&"kube-system".parse().unwrap(), &secret(NAME))]);
    stage.world.fleet.observed(at(100), &told[0], true);
    let mut other = stage.record.clone();
    other.inputs.as_mut().unwrap().revocable = false;
    stage.world.record(Event::Upsert(other));
    let told = stage.world.fleet.observations(at(101));
    assert_eq!(told.iter().map(|told| told.families.len()).collect::<Vec<_>>(), [0]);
}

#[test]
fn d_who_fights_over_labels_does_not_keep_old_tokens_alive() {
    use perennial_core::{
        inputs::LabelsHash,
        shoot::{AccountSeen, AccountState},
    };

    use crate::feed::AccountNews;

    let mut stage = Stage::new();
    let account = stage.record.inputs.as_ref().unwrap().account.clone();
    let labels = LabelsHash::of(&[].into());
    let state = AccountState::Present { uid: "uid".into(), automount_off: false, labels };
    let seen = AccountSeen { state, at: at(100) };
    let news = AccountNews { shoot: "shoot-1".parse().unwrap(), account, seen };
    stage.world.fleet.hear_of_account(at(100), news);
    for second in 101..300 {
        for order in stage.world.tick_at(second) {
            assert_eq!(order.reason, Reason::AccountDrifted);
            let record = stage.record.clone();
            stage.world.end(&order, Ok(record));
        }
    }
    stage.revoke(0, Some(0)).unwrap();
    stage.run_to(305);
    assert_eq!((stage.phase(), stage.numbers()), (Phase::Done { refused: true }, vec![2]));
}

#[test]
fn d_what_comes_at_the_end_of_a_grace_is_a_deletion_and_no_renewal() {
    let mut stage = Stage::new();
    stage.revoke(0, Some(60)).unwrap();
    stage.run_to(110);
    let next = || stage.world.fleet.explain(at(110), &secret(NAME)).unwrap().next;
    assert_eq!(next().at, Some(at(161)));
    assert!(next().what.starts_with("generation 1 is deleted"), "{}", next().what);
}

#[test]
fn d_while_the_fleet_is_stopped_the_other_way_to_revoke_is_told() {
    let mut stage = Stage::new();
    let stop = Stop::new("a leak".parse().unwrap(), "spiffe://x".to_owned(), at(100));
    stage.world.fleet.hear_of_stop(at(100), Some(stop));
    let error = stage.revoke(0, None).unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "FLEET_STOPPED"));
    assert!(error.to_string().contains("by hand"), "{error}");
}
