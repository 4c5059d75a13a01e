use perennial_core::{ca::CaHash, failure::Kind, keys};
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
    Repair { secret: secret_ref("a"), digest, reason, request_id }
}

#[tokio::test]
async fn c_a_new_ca_is_written_without_a_token_and_without_a_call_of_the_shoot() {
    let test = async |bench: &Bench| {
        let seen = bench.renewals.repair(order(bench, Reason::CaChanged)).await.unwrap();
        assert_eq!(seen.record.ca, Some(CaHash::of(CA)));
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [false], "the account is left alone");
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
        assert_eq!(*bench.issuer.synced.lock().unwrap(), [true]);
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
