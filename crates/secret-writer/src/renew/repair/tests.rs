use perennial_core::{
    ca::CaHash,
    failure::Kind,
    issued::Left,
    keys,
    token::{Token, TokenHash},
};
use perennial_rpc::status::Remote;
use tonic::Status;

use super::*;
use crate::{
    fixtures::{CA, SecretBuilder, secret_ref},
    renew::tests::Bench,
};

/// A bench whose Secret wants the CA beside its token, or not.
fn bench(inject_ca: &str) -> Bench {
    let bench = Bench::new();
    bench.store.upsert(SecretBuilder::new("a").annotated(keys::INJECT_CA, inject_ca).seen(2));
    bench
}

fn order(bench: &Bench, reason: Reason) -> Repair {
    let digest = bench.store.get(&secret_ref("a")).unwrap().record.digest.clone();
    let request_id = "request-1".to_owned();
    Repair {
        secret: secret_ref("a"),
        digest,
        reason,
        up_to: None,
        unproved: false,
        ends: Default::default(),
        request_id,
    }
}

#[tokio::test]
async fn c_a_new_ca_is_written_without_a_token_and_without_a_call_of_the_shoot() {
    let test = async |bench: &Bench| {
        let seen = bench.renewals.repair(order(bench, Reason::CaChanged)).await.unwrap().seen;
        assert_eq!(seen.record.ca, Some(CaHash::of(CA)));
        let nothing = Wanted::default();
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [nothing], "the account is left alone");
        assert_eq!(*bench.writer.cas.lock().unwrap(), [Some(CA.to_vec())]);
        assert_eq!((bench.issuer.asked(), bench.writer.orders()), (0, 0));
    };
    bench("true").run(test).await;
}

#[tokio::test]
async fn b5_a_bundle_that_is_not_wanted_is_taken_away() {
    let test = async |bench: &Bench| {
        bench.renewals.repair(order(bench, Reason::CaUnwanted)).await.unwrap();
        assert_eq!(*bench.writer.cas.lock().unwrap(), [None]);
    };
    bench("false").run(test).await;
}

#[tokio::test]
async fn c_a_drifted_account_is_put_back_and_the_secret_is_not_written() {
    let test = async |bench: &Bench| {
        bench.renewals.repair(order(bench, Reason::AccountDrifted)).await.unwrap();
        let account = Wanted { apply_account: true, ..Wanted::default() };
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [account]);
        assert!(bench.writer.cas.lock().unwrap().is_empty());
    };
    bench("true").run(test).await;
}

fn aimed(target: &str) -> SecretBuilder {
    SecretBuilder::new("a")
        .annotated(keys::TARGET_NAMESPACE, "kube-system")
        .annotated(keys::TARGET_NAME, target)
}

#[tokio::test]
async fn b7_a_new_ca_goes_into_the_target_and_the_source_is_not_written() {
    let test = async |bench: &Bench| {
        bench.store.upsert(aimed("target").annotated(keys::INJECT_CA, "true").seen(3));
        bench.renewals.repair(order(bench, Reason::CaChanged)).await.unwrap();
        let refresh = Wanted { refresh_target: true, ..Wanted::default() };
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [refresh]);
        assert!(bench.writer.cas.lock().unwrap().is_empty());
    };
    bench("true").run(test).await;
}

#[tokio::test]
async fn b7_what_was_left_is_cleaned_in_the_shoot_before_the_note_forgets_it() {
    let test = async |bench: &Bench| {
        // Delivered to one target, and another is named: the renewal notes what is left.
        let token = Token::new(crate::fixtures::jwt("a", 0));
        let delivered = crate::fixtures::delivered(&aimed("former"), &token);
        let moved = delivered.annotated(keys::TARGET_NAME, "target");
        bench.store.upsert(moved.seen(3));
        bench.renewals.renew(bench.order(Reason::InputsChanged)).await.unwrap();
        let written = bench.writer.orders.lock().unwrap().last().unwrap().clone();
        let left = Left {
            secret: SecretRef::parse("kube-system", "former").unwrap(),
            sha256: TokenHash::of(token.expose().as_bytes()),
        };
        assert_eq!(written.note.left, std::slice::from_ref(&left));
        assert_eq!(written.note.target.as_ref().unwrap().name.as_str(), "target");
        assert!(matches!(written.put, perennial_kube::access::Put::Nothing));

        bench.store.upsert(aimed("target").written(&written).seen(9));
        let seen = bench.renewals.repair(order(bench, Reason::TargetLeft)).await.unwrap().seen;
        let clean = Wanted { left: vec![left], ..Wanted::default() };
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [clean]);
        assert!(seen.record.left.is_empty());
        assert_eq!(bench.writer.notes.lock().unwrap().len(), 1);
        assert!(bench.writer.cas.lock().unwrap().is_empty());
    };
    bench("true").run(test).await;
}

#[tokio::test]
async fn a_repair_that_was_decided_on_another_secret_does_nothing() {
    let test = async |bench: &Bench| {
        let stale = Repair {
            digest: Digest::received("another".to_owned()),
            ..order(bench, Reason::CaChanged)
        };
        assert_eq!(bench.renewals.repair(stale).await.unwrap_err().kind(), Kind::Changed);
        assert!(bench.issuer.synced.lock().unwrap().is_empty());
    };
    bench("true").run(test).await;
}

#[tokio::test]
async fn what_the_token_issuer_says_is_passed_on() {
    let test = async |bench: &Bench| {
        bench.issuer.will_answer(Err(Remote::from(Status::unavailable("no way"))));
        let error = bench.renewals.repair(order(bench, Reason::CaChanged)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(bench.writer.cas.lock().unwrap().is_empty());
    };
    bench("true").run(test).await;
}

#[test]
fn a_reason_that_needs_a_token_is_no_repair() {
    let request = |reason: &str| SyncSecretRequest {
        namespace: "shoot--lab--1".to_owned(),
        name: "a".to_owned(),
        reason: reason.to_owned(),
        ..SyncSecretRequest::default()
    };
    assert!(Repair::try_from(request("ca_changed")).is_ok());
    for reason in ["due", "requested", "", "nonsense"] {
        assert_eq!(Repair::try_from(request(reason)).unwrap_err().field, "reason");
    }
}
