//! Section D: what tokens are bound to, what is noted of it, and how older generations go.

use perennial_core::{
    decision::bound_to,
    generation::{End, Ends, Noted},
};

use super::*;
use crate::{
    fixtures::jwt_bound,
    issuer::Binding,
    renew::{Repair, Unfit},
};

/// A bench whose Secret is revocable.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.store.upsert(SecretBuilder::new("a").annotated(keys::REVOCABLE, "true").seen(2));
    bench
}

fn binding(generation: u32, revokes: bool, grace: Option<u64>) -> Option<Binding> {
    Some(Binding { generation, revokes, grace: grace.map(Duration::from_secs) })
}

impl Bench {
    fn present(&self) -> Option<u32> {
        bound_to(&self.store.get(&secret_ref("a")).unwrap().record)
    }

    fn noted(&self) -> Noted {
        let seen = self.store.get(&secret_ref("a")).unwrap();
        *seen.record.issued.as_ref().unwrap().generation.clone().unwrap()
    }

    fn revoked(&self, generation: u32, grace: Option<u64>) -> Order {
        let grace = grace.map(Duration::from_secs);
        Order { generation, grace, ..self.order(Reason::Revoked) }
    }

    fn repair(&self) -> Repair {
        let Order { secret, digest, request_id, .. } = self.order(Reason::Revoked);
        let (reason, ends) = (Reason::GenerationLeft, Ends::default());
        Repair { secret, digest, reason, up_to: None, unproved: false, ends, request_id }
    }

    fn last_binding(&self) -> Option<Binding> {
        *self.issuer.bindings.lock().unwrap().last().unwrap()
    }
}

#[tokio::test]
async fn d_a_first_token_is_bound_to_a_generation_and_an_ordinary_renewal_stays_with_it() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        assert_eq!(bench.last_binding(), binding(0, false, None));
        assert_eq!(bench.present(), Some(1));
        let uid = bench.noted().uid;
        assert_eq!(
            bench.noted(),
            Noted { number: 1, uid, older_until: None, sooner: Ends::default() }
        );
        bench.clock.set(at(28_000));
        bench.renew(Reason::Due).await.unwrap();
        assert_eq!((bench.last_binding(), bench.present()), (binding(1, false, None), Some(1)));
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_revocation_binds_to_the_next_generation_and_notes_until_when_older_ones_live() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.clock.set(at(1_000));
        bench.renewals.renew(bench.revoked(2, Some(60))).await.unwrap();
        assert_eq!(bench.last_binding(), binding(2, true, Some(60)));
        assert_eq!((bench.noted().number, bench.noted().older_until), (2, Some(at(1_060))));

        // The next token of the same generation keeps that; one more revocation notes its own.
        bench.clock.set(at(1_010));
        bench.renew(Reason::Requested).await.unwrap();
        assert_eq!((bench.noted().number, bench.noted().older_until), (2, Some(at(1_060))));
        bench.clock.set(at(1_100));
        bench.renewals.renew(bench.revoked(3, None)).await.unwrap();
        assert_eq!((bench.noted().number, bench.noted().older_until), (3, Some(at(1_340))));
        assert_eq!(bench.last_binding(), binding(3, true, Some(240)));
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_token_that_is_due_while_it_is_revoked_notes_the_grace_too_and_renewals_keep_it() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.clock.set(at(28_000));
        let grace = Some(Duration::from_secs(60));
        let order = Order { generation: 2, grace, ..bench.order(Reason::Due) };
        bench.renewals.renew(order).await.unwrap();
        assert_eq!(bench.last_binding(), binding(2, true, Some(60)));
        assert_eq!((bench.noted().number, bench.noted().older_until), (2, Some(at(28_060))));
        bench.clock.set(at(28_050));
        bench.renew(Reason::Due).await.unwrap();
        assert_eq!(bench.noted().older_until, Some(at(28_060)));
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_generation_that_is_newer_for_another_reason_notes_the_usual_end_of_older_ones() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.issuer.newest.store(4, std::sync::atomic::Ordering::Relaxed);
        bench.clock.set(at(28_000));
        bench.renew(Reason::Due).await.unwrap();
        assert_eq!((bench.noted().number, bench.noted().older_until), (4, Some(at(28_240))));
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_wrong_scheduler_does_not_use_up_the_numbers_and_does_not_go_back() {
    let test = async |bench: &Bench| {
        let order = Order { generation: u32::MAX, ..bench.order(Reason::NothingHeld) };
        bench.renewals.renew(order).await.unwrap();
        assert!(bench.present().unwrap() <= u32::MAX / 2);
    };
    bench().run(test).await;
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.renewals.renew(bench.revoked(u32::MAX, None)).await.unwrap();
        assert_eq!(bench.present(), Some(2));
        bench.clock.set(at(28_000));
        bench.renewals.renew(bench.revoked(1, None)).await.unwrap();
        assert_eq!(bench.last_binding(), binding(2, true, Some(240)));
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_token_that_is_not_bound_as_it_should_be_is_never_written() {
    let unbound = jwt("a", 0);
    let strange = jwt_bound("a", 0, "perennial-generation-0123456789abcdef-1");
    let refused = async |bench: Bench, token: &str| {
        bench.issuer.will_answer(Ok(token.to_owned()));
        let test = async |bench: &Bench| {
            let error = bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!((error.reason(), bench.writer.orders()), ("TOKEN_UNFIT", 0));
            let RenewError::Unfit { problem, .. } = error else { panic!("{error}") };
            let (generation, bound) = (
                matches!(problem, Unfit::Generation { wanted: 0, .. }),
                matches!(problem, Unfit::Bound { .. }),
            );
            assert!(generation || bound, "{problem}");
        };
        bench.run(test).await;
    };
    refused(bench(), &unbound).await;
    refused(bench(), &strange).await;
    refused(Bench::new(), &strange).await;
}

#[tokio::test]
async fn d_an_older_generation_than_was_asked_for_is_refused() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        let first = bench.writer.orders.lock().unwrap()[0].token().unwrap().expose().to_owned();
        bench.issuer.will_answer(Ok(first));
        let error = bench.renewals.renew(bench.revoked(2, None)).await.unwrap_err();
        let RenewError::Unfit { problem, .. } = error else { panic!("{error}") };
        assert!(matches!(problem, Unfit::Generation { wanted: 2, .. }), "{problem}");
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_older_generations_are_deleted_without_a_write_on_the_seed() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        let orders = bench.writer.orders();
        let before = bench.store.get(&secret_ref("a")).unwrap();
        bench.renewals.renew(bench.revoked(2, Some(0))).await.unwrap();
        let orders = orders + 1;
        let before = bench.store.get(&secret_ref("a")).unwrap_or(before);
        let repaired = bench.renewals.repair(bench.repair()).await.unwrap();
        assert!(repaired.old_token_refused);
        assert_eq!(repaired.seen.record, before.record);
        assert_eq!(*bench.issuer.kept.lock().unwrap(), [(1, 2)]);
        bench.issuer.will_answer(Ok(String::new()));
        let repaired = bench.renewals.repair(bench.repair()).await.unwrap();
        assert!(!repaired.old_token_refused, "no old token was at hand");
        bench.issuer.will_answer(Err(Remote::from(Status::unavailable("still taken"))));
        let error = bench.renewals.repair(bench.repair()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(bench.writer.orders(), orders);
        assert!(bench.writer.cas.lock().unwrap().is_empty());
        assert!(bench.writer.notes.lock().unwrap().is_empty());
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_nothing_is_deleted_for_a_token_without_a_generation_or_another_record() {
    let refused = async |bench: Bench, repair: Option<Repair>, reason: &str| {
        let test = async |bench: &Bench| {
            let repair = repair.clone().unwrap_or_else(|| bench.repair());
            let error = bench.renewals.repair(repair).await.unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(bench.issuer.kept.lock().unwrap().is_empty());
        };
        bench.run(test).await;
    };
    refused(Bench::new(), None, "TOKEN_NOT_BOUND").await;
    refused(bench(), None, "TOKEN_NOT_BOUND").await;
    let digest = perennial_core::digest::Digest::received("another".to_owned());
    let stale = Repair { digest, ..bench().repair() };
    refused(bench(), Some(stale), "RECORD_CHANGED").await;
}

#[tokio::test]
async fn d_a_token_that_was_delivered_into_a_target_is_bound_and_noted_too() {
    let aimed = SecretBuilder::new("a")
        .annotated(keys::REVOCABLE, "true")
        .annotated(keys::TARGET_NAMESPACE, "kube-system")
        .annotated(keys::TARGET_NAME, "target");
    let bench = bench();
    bench.store.upsert(aimed.seen(3));
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        assert_eq!(bench.noted().number, 1);
        assert_eq!(bench.present(), Some(1), "read off the note");
        bench.renewals.renew(bench.revoked(2, Some(0))).await.unwrap();
        assert_eq!((bench.noted().number, bench.noted().older_until), (2, Some(at(0))));
    };
    bench.run(test).await;
}

fn end(up_to: u32, until: i64) -> End {
    End { up_to, until: at(until) }
}

#[tokio::test]
async fn d_a_second_revocation_does_not_prolong_the_first_and_a_scheduler_cannot_either() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.clock.set(at(1_000));
        bench.renewals.renew(bench.revoked(2, Some(12))).await.unwrap();
        bench.clock.set(at(1_003));
        let ends = Ends::from_iter([end(1, 9_998), end(9, 9_999)]);
        bench.renewals.renew(Order { ends, ..bench.revoked(3, Some(45)) }).await.unwrap();
        assert_eq!(bench.noted().older_until, Some(at(1_048)));
        assert_eq!(bench.noted().sooner, Ends::from_iter([end(1, 1_012)]));

        // The next token of the same generation keeps both.
        let before = bench.noted();
        bench.clock.set(at(1_008));
        bench.renew(Reason::Requested).await.unwrap();
        assert_eq!(bench.noted(), before);
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_a_grace_that_is_shortened_is_noted_once_and_never_prolonged() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.clock.set(at(1_000));
        bench.renewals.renew(bench.revoked(2, Some(600))).await.unwrap();
        let shortened = |until| Repair {
            reason: Reason::GraceShortened,
            ends: Ends::from_iter([end(1, until)]),
            ..bench.repair()
        };
        let before = bench.noted();
        bench.renewals.repair(shortened(2_000)).await.unwrap();
        assert_eq!(bench.noted(), before);
        assert!(bench.writer.notes.lock().unwrap().is_empty());
        bench.renewals.repair(shortened(1_060)).await.unwrap();
        let notes = bench.writer.notes.lock().unwrap();
        let noted = notes[0].generation.as_ref().unwrap();
        assert_eq!((notes.len(), noted.older_until), (1, Some(at(1_060))));
        assert!(bench.issuer.kept.lock().unwrap().is_empty());
    };
    bench().run(test).await;
}

#[tokio::test]
async fn d_no_more_is_deleted_than_was_ordered_and_never_the_present_generation() {
    let test = async |bench: &Bench| {
        bench.renew(Reason::NothingHeld).await.unwrap();
        bench.renewals.renew(bench.revoked(2, Some(600))).await.unwrap();
        for (up_to, asked) in [(Some(1), Some((1, 2))), (Some(0), None), (Some(9), Some((1, 2)))] {
            let repair = Repair { up_to, ..bench.repair() };
            let repaired = bench.renewals.repair(repair).await.unwrap();
            assert_eq!(repaired.old_token_refused, asked.is_some());
            assert_eq!(bench.issuer.kept.lock().unwrap().pop(), asked);
        }
    };
    bench().run(test).await;
}
