use perennial_core::{kubeconfig::Inline, shoot::Credential};

use super::*;
use crate::{
    attempt::attempt,
    fakes::{ELSEWHERE, HERE, World, certificate_at, connection, refused, shoot, status, token_at},
};

fn now() -> Timestamp {
    Timestamp::from_second(crate::fakes::NOON).unwrap()
}

fn reached(which: Which) -> Sight {
    let keys = Some(KeysSeen { ids: vec!["key-1".to_owned()], at: now() });
    Sight::Reached { which, keys, clock_offset: None, detail: String::new() }
}

/// The credentials in the order they would be tried.
fn order(directory: &Directory, purpose: Purpose) -> Vec<Which> {
    let ways = directory.ways(&shoot(1), purpose).unwrap();
    ways.candidates.iter().map(|candidate| candidate.which).collect()
}

fn version(directory: &Directory) -> u64 {
    directory.list()[0].version
}

/// Calls as an issue does, and tells the directory what worked.
async fn call(directory: &Directory) -> Which {
    let ways = directory.ways(&shoot(1), Purpose::Issue).unwrap();
    let probe = |candidate: Candidate| async move { candidate.client.probe().await };
    let outcome = attempt(&ways.candidates, Purpose::Issue, probe).await.unwrap();
    let (candidate, _) = outcome.unwrap();
    directory.worked(&shoot(1), &ways, candidate.which, now());
    candidate.which
}

#[test]
fn f_without_a_token_in_the_own_secret_the_bootstrap_credential_is_used() {
    let directory = World::new().empty_directory();
    directory.upsert(&shoot(1), Which::Own, &Ok(connection(HERE, Inline::None)));
    assert_eq!(order(&directory, Purpose::Issue), []);
    directory.upsert(&shoot(1), Which::Bootstrap, &Ok(certificate_at(HERE, "bootstrap")));
    assert_eq!(order(&directory, Purpose::Issue), [Which::Bootstrap]);
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own")));
    assert_eq!(order(&directory, Purpose::Issue), [Which::Own, Which::Bootstrap]);
}

#[tokio::test]
async fn f_an_own_credential_that_is_refused_is_left_until_it_changes() {
    let world = World::new();
    let directory = world.directory();
    assert_eq!(call(&directory).await, Which::Own);

    world.set().known.remove("own");
    assert_eq!(call(&directory).await, Which::Bootstrap);
    assert_eq!(status(&directory, &shoot(1)).credential, Credential::Bootstrap);
    world.calls();
    assert_eq!(call(&directory).await, Which::Bootstrap);
    assert_eq!(world.calls(), ["bootstrap: probe"], "the refused one is not asked again");

    world.set().known.insert("own-2".to_owned());
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own-2")));
    assert_eq!(call(&directory).await, Which::Own);
    assert_eq!(status(&directory, &shoot(1)).credential, Credential::Own);
}

#[tokio::test]
async fn f_an_own_credential_that_works_again_is_taken_up_by_a_probe() {
    let world = World::new();
    let directory = world.directory();
    world.set().known.remove("own");
    call(&directory).await;
    assert_eq!(order(&directory, Purpose::Issue)[0], Which::Bootstrap);
    assert_eq!(order(&directory, Purpose::Probe)[0], Which::Own);

    let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    directory.seen(&shoot(1), &ways, reached(Which::Own), now());
    assert_eq!(order(&directory, Purpose::Issue)[0], Which::Own);
}

#[tokio::test]
async fn a_bootstrap_credential_that_expired_gives_way_to_the_own_one() {
    let world = World::new();
    let directory = world.directory();
    world.set().known.remove("own");
    call(&directory).await;
    world.set().known = ["own".to_owned()].into();
    assert_eq!(call(&directory).await, Which::Own);
}

#[tokio::test]
async fn f_a_shoot_that_moved_is_reached_at_the_address_of_the_bootstrap_secret() {
    let world = World::new();
    let directory = world.directory();
    world.set().up = [ELSEWHERE].into();
    directory.upsert(&shoot(1), Which::Bootstrap, &Ok(certificate_at(ELSEWHERE, "bootstrap")));
    assert_eq!(call(&directory).await, Which::Bootstrap);
    assert_eq!(directory.list()[0].address, ELSEWHERE);
}

#[tokio::test]
async fn e_an_address_counts_as_the_shoots_once_a_call_there_succeeded() {
    let world = World::new();
    let directory = world.directory();
    let proved = || {
        let listed = directory.list();
        listed[0].proved.as_ref().map(|endpoint| endpoint.server().to_owned())
    };
    assert_eq!(proved(), None, "no call yet");
    call(&directory).await;
    assert_eq!(proved().as_deref(), Some(HERE));

    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(ELSEWHERE, "own")));
    assert_eq!(proved().as_deref(), Some(HERE), "nobody has answered elsewhere");
    let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    directory.seen(
        &shoot(1),
        &ways,
        Sight::NotReached { refused: false, detail: "away".to_owned() },
        now(),
    );
    assert_eq!(proved().as_deref(), Some(HERE), "what worked is kept");
    let before = version(&directory);
    directory.seen(&shoot(1), &ways, reached(Which::Own), now());
    assert_eq!(proved().as_deref(), Some(ELSEWHERE));
    assert!(version(&directory) > before, "and told");
}

#[test]
fn e_another_ca_at_the_same_address_is_told_once_it_works() {
    let directory = World::new().directory();
    let look = || {
        let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
        directory.seen(&shoot(1), &ways, reached(Which::Own), now());
        (version(&directory), directory.list()[0].proved.clone().unwrap())
    };
    look();
    let (before, old) = look();
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own-2")));
    assert_eq!(look().1, old, "another token is no other endpoint");
    let mut connection = token_at(HERE, "own-2");
    connection.ca_pem = b"two".to_vec();
    directory.upsert(&shoot(1), Which::Own, &Ok(connection));
    let (after, new) = look();
    assert!(after > before && new.ca_pem() == b"two");
}

#[tokio::test]
async fn a_shoot_that_is_away_is_asked_once_where_both_secrets_name_one_address() {
    let world = World::new();
    let directory = world.directory();
    world.set().up.clear();
    let ways = directory.ways(&shoot(1), Purpose::Issue).unwrap();
    let probe = |candidate: Candidate| async move { candidate.client.probe().await };
    let failed = attempt(&ways.candidates, Purpose::Issue, probe).await.unwrap().unwrap_err();
    assert_eq!(world.calls(), ["own: probe"]);
    assert!(failed.is_way_lost());
    assert_eq!(
        failed.to_string(),
        "with the own credential: failed to probe: https://here:6443 does not answer"
    );
}

#[tokio::test]
async fn the_answer_to_the_second_credential_counts_where_the_shoot_took_it() {
    let directory = World::new().directory();
    let ways = directory.ways(&shoot(1), Purpose::Issue).unwrap();
    let call = |candidate: Candidate| async move {
        Err::<(), _>(match candidate.which {
            Which::Own => refused(401, None),
            Which::Bootstrap => refused(404, Some("namespaces")),
        })
    };
    let failed = attempt(&ways.candidates, Purpose::Issue, call).await.unwrap().unwrap_err();
    assert_eq!(failed.decisive().code(), Some(404));
    assert!(!failed.is_way_lost());
    assert_eq!(
        failed.to_string(),
        "with the own credential: failed to call: status 401; \
         with the bootstrap credential: failed to call: status 404"
    );
}

#[test]
fn f_a_client_is_made_anew_only_when_the_data_changed() {
    let world = World::new();
    let directory = world.directory();
    assert_eq!(world.set().clients, 2);
    assert!(!directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own"))));
    assert_eq!(world.set().clients, 2);
    assert!(directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own-2"))));
    assert!(directory.upsert(&shoot(1), Which::Own, &Ok(token_at(ELSEWHERE, "own-2"))));
    assert_eq!(world.set().clients, 4);
}

#[test]
fn f_a_shoot_is_known_as_long_as_one_of_its_secrets_is_there() {
    let directory = World::new().directory();
    assert!(!directory.remove(&shoot(1), Which::Bootstrap));
    assert!(directory.ways(&shoot(1), Purpose::Issue).is_some());
    assert!(directory.remove(&shoot(1), Which::Own));
    assert!(directory.ways(&shoot(1), Purpose::Issue).is_none());
    assert!(!directory.remove(&shoot(2), Which::Own), "never known");
}

#[test]
fn where_there_is_no_way_in_it_says_why_and_what_to_do() {
    let directory = World::new().empty_directory();
    directory.upsert(&shoot(1), Which::Own, &Ok(connection(HERE, Inline::None)));
    assert_eq!(
        directory.ways(&shoot(1), Purpose::Issue).unwrap().obstacle,
        "no credential to reach the shoot with; Secret shoot-access-token-issuer: has no token \
         yet; Secret shoot-bootstrap-token-issuer is missing; put a kubeconfig with a valid \
         credential into shoot-bootstrap-token-issuer"
    );
    directory.upsert(&shoot(1), Which::Bootstrap, &Err(ConnectionError::Missing));
    let obstacle = directory.ways(&shoot(1), Purpose::Issue).unwrap().obstacle;
    assert!(obstacle.contains("data key kubeconfig is missing; put a kubeconfig there"));
}

#[test]
fn what_an_old_client_saw_is_not_taken_for_the_new_one() {
    let directory = World::new().directory();
    let old = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own-2")));
    let lost = Sight::NotReached { refused: false, detail: "401".to_owned() };
    assert!(directory.seen(&shoot(1), &old, lost, now()).is_none());
    assert_eq!(status(&directory, &shoot(1)).reach, Reach::Unknown);
}

#[test]
fn a_look_that_finds_nothing_new_is_no_change_but_its_time_is_kept() {
    let directory = World::new().directory();
    let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    directory.seen(&shoot(1), &ways, reached(Which::Own), now());
    let before = version(&directory);

    let later = now() + Duration::from_secs(60);
    directory.seen(&shoot(1), &ways, reached(Which::Own), later);
    assert_eq!(version(&directory), before);
    assert_eq!(status(&directory, &shoot(1)).checked_at, Some(later));

    directory.seen(
        &shoot(1),
        &ways,
        Sight::NotReached { refused: false, detail: "gone".to_owned() },
        later,
    );
    assert!(version(&directory) > before);
    assert_eq!(status(&directory, &shoot(1)).key_ids, ["key-1"], "what was last known stays");
}

#[test]
fn a_clock_between_two_seconds_is_not_told_anew_with_every_look() {
    let directory = World::new().directory();
    let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    let told = |seconds| {
        let clock_offset = Some(jiff::SignedDuration::from_secs(seconds));
        let (keys, detail) = (None, String::new());
        let sight = Sight::Reached { which: Which::Own, keys, clock_offset, detail };
        directory.seen(&shoot(1), &ways, sight, now());
        status(&directory, &shoot(1)).clock_offset.unwrap().as_secs()
    };
    assert_eq!([3, 4, 3, 5, 4].map(told), [3, 3, 3, 5, 5]);
}
