//! Tokens that were issued and not seen to be written.

use super::*;

impl Bench {
    /// Secrets that were read to see whether the seed answers.
    fn looks(&self) -> u32 {
        self.writer.looks.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Counters of tokens that were not seen to be written, as `/metrics` shows them.
    fn not_seen_written(&self) -> Vec<String> {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry).unwrap();
        let counters =
            page.lines().filter_map(|line| line.strip_prefix("perennial_secret_writer_"));
        let wanted = ["issued_in_vain_total", "writes_unknown_total"];
        counters
            .filter(|line| wanted.iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect()
    }
}

fn refused(code: u16) -> perennial_kube::Error {
    perennial_kube::Error::Refused {
        operation: "write Secret shoot--lab--1/a".to_owned(),
        code,
        reason: String::new(),
        message: "no".to_owned(),
        about: None,
        retry_after: Some(Duration::from_secs(40)),
    }
}

#[tokio::test]
async fn a_token_is_in_vain_only_where_it_is_surely_not_written() {
    Bench::new()
        .run(async |bench| {
            bench.writer.will_answer(Box::new(|_| Err(WriteError::Api(refused(403)))));
            bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!(bench.not_seen_written(), [r#"issued_in_vain_total{kind="denied"} 1"#]);
        })
        .await;
}

#[tokio::test]
async fn a_write_that_is_not_answered_clearly_is_unknown_and_not_in_vain() {
    Bench::new()
        .run(async |bench| {
            bench.writer.will_answer(Box::new(|_| Err(WriteError::Unknown(refused(502)))));
            bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!(bench.not_seen_written(), [r#"writes_unknown_total{kind="unavailable"} 1"#]);
            let memory = bench.store.get(&secret_ref("a")).unwrap().record.memory;
            assert!(memory.is_some(), "a token was issued, written or not");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_is_unknown_and_frees_the_secret() {
    Bench::new()
        .run(async |bench| {
            bench.writer.may_answer.forget_permits(usize::MAX);
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::TimedOut, "SEED_TIMED_OUT"));
            assert_eq!(bench.not_seen_written(), [r#"writes_unknown_total{kind="timed_out"} 1"#]);
            bench.writer.may_answer.add_permits(1);
            assert!(bench.renew(Reason::NothingHeld).await.is_ok());
        })
        .await;
}

#[tokio::test]
async fn an_error_of_the_seed_does_not_pass_for_one_of_the_shoot() {
    Bench::new()
        .run(async |bench| {
            bench.writer.will_answer(Box::new(|_| Err(WriteError::Api(refused(429)))));
            let error = bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!((error.kind(), error.reason()), (Kind::Throttled, "SEED_THROTTLED"));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(40)));
        })
        .await;
}

#[tokio::test]
async fn while_the_seed_did_not_take_the_last_write_no_token_is_issued_before_it_answers() {
    Bench::new()
        .run(async |bench| {
            bench.writer.will_answer(Box::new(|_| Err(WriteError::Unknown(refused(503)))));
            bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!((bench.issuer.asked(), bench.looks()), (1, 0), "nobody could know");

            bench.clock.set(at(1_000)); // no storm
            *bench.writer.look_fails.lock().unwrap() = Some(refused(503));
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::Unavailable, "SEED_REFUSED"));
            assert_eq!((bench.issuer.asked(), bench.looks()), (1, 1), "one GET and no token");

            bench.renew(Reason::NothingHeld).await.unwrap();
            assert_eq!((bench.issuer.asked(), bench.looks()), (2, 2), "it answers again");
            bench.clock.set(at(40_000));
            bench.renew(Reason::Due).await.unwrap();
            assert_eq!((bench.issuer.asked(), bench.looks()), (3, 2), "and took the last write");
        })
        .await;
}

#[tokio::test]
async fn a_secret_that_the_seed_refuses_says_nothing_of_the_others() {
    Bench::new()
        .run(async |bench| {
            bench.writer.will_answer(Box::new(|_| Err(WriteError::Api(refused(403)))));
            bench.renew(Reason::NothingHeld).await.unwrap_err();
            bench.clock.set(at(1_000));
            bench.renew(Reason::NothingHeld).await.unwrap();
            assert_eq!((bench.issuer.asked(), bench.looks()), (2, 0));
        })
        .await;
}
