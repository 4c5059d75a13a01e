use perennial_core::{keys, record::OtherWriter, record::Record, storm::Memory};
use perennial_kube::events::REPEAT_MIN;
use perennial_rpc::status::Remote;
use prometheus_client::registry::Registry;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::{
    fixtures::{LIFETIME, SecretBuilder, at, jwt, secret_ref},
    store::Event,
};

const REPEAT: i64 = REPEAT_MIN.as_secs() as i64;

/// A desk and what it publishes, by hand.
struct Bench {
    desk: Desk,
    metrics: Metrics,
}

impl Bench {
    fn new() -> Self {
        let metrics = Metrics::new(&mut Registry::default());
        Self { desk: Desk::default(), metrics }
    }

    fn hear(&mut self, seconds: i64, seen: Seen) {
        self.desk.hear(Event::Upsert(Arc::new(seen)), at(seconds), &self.metrics);
    }

    /// What is published at that moment: Secret, reason and key.
    fn published_at(&mut self, seconds: i64) -> Vec<String> {
        let published = self.notices_at(seconds).into_iter();
        published.map(|n| format!("{} {} {}", n.secret.name, n.reason, n.key)).collect()
    }

    fn notices_at(&mut self, seconds: i64) -> Vec<Notice> {
        self.desk.look_again(at(seconds), &self.metrics);
        let mut published = Vec::new();
        while let Some(notice) = self.desk.take(at(seconds)) {
            self.desk.published(&notice, at(seconds));
            published.push(notice);
        }
        published
    }
}

fn soon(name: &str) -> SecretBuilder {
    SecretBuilder::new(name).annotated(keys::TOKEN_LIFETIME, "soon")
}

fn invalid(name: &str) -> String {
    format!("{name} DURATION_INVALID {}", keys::TOKEN_LIFETIME)
}

#[test]
fn b10_a_mistake_is_told_once_and_again_only_while_it_stays() {
    let mut bench = Bench::new();
    bench.hear(0, soon("a").seen(1));
    bench.hear(0, SecretBuilder::new("right").seen(1));
    assert_eq!(bench.published_at(0), [invalid("a")]);
    bench.hear(5, soon("a").annotated("example.com/x", "y").seen(2));
    for second in [5, 60, REPEAT - 1] {
        assert!(bench.published_at(second).is_empty(), "at {second} s");
    }
    assert_eq!(bench.published_at(REPEAT + 5), [invalid("a")]);
    bench.hear(REPEAT + 6, SecretBuilder::new("a").seen(3));
    assert!(bench.published_at(3 * REPEAT).is_empty(), "nothing is told of a good Secret");
}

#[test]
fn b10_a_secret_corrected_before_its_turn_is_not_told_of() {
    let mut bench = Bench::new();
    bench.hear(0, soon("a").seen(1));
    bench.hear(0, soon("b").seen(1));
    bench.hear(0, SecretBuilder::new("a").seen(2));
    bench.desk.hear(Event::Removed(secret_ref("b")), at(0), &bench.metrics);
    assert!(bench.published_at(1).is_empty());
}

#[test]
fn b10_another_mistake_is_told_at_once_and_one_that_flaps_is_not_repeated() {
    let mut bench = Bench::new();
    let bad_bool = SecretBuilder::new("a").annotated(keys::INJECT_CA, "maybe");
    bench.hear(0, soon("a").seen(1));
    assert_eq!(bench.published_at(0), [invalid("a")]);
    bench.hear(1, bad_bool.seen(2));
    let told = format!("a BOOL_INVALID {}", keys::INJECT_CA);
    assert_eq!(bench.published_at(1), [told]);
    for second in 2..100_i64 {
        let seen = if second % 2 == 0 { soon("a") } else { bad_bool.clone() };
        bench.hear(second, seen.seen(second.unsigned_abs() + 2));
        assert!(bench.published_at(second).is_empty(), "at {second} s");
    }
}

#[test]
fn b10_an_event_follows_a_value_that_is_corrected_into_another_mistake_every_ten_seconds() {
    let mut bench = Bench::new();
    let mut version = 0;
    let mut edit = |bench: &mut Bench, second: i64, value: &str| {
        version += 1;
        bench.hear(second, soon("a").annotated(keys::TOKEN_LIFETIME, value).seen(version));
    };
    let says = |bench: &mut Bench, second: i64, value: &str| {
        let told = bench.notices_at(second);
        let said = told.iter().map(|notice| notice.message.contains(&format!("\"{value}\"")));
        assert_eq!(said.collect::<Vec<_>>(), [true], "at {second} s: {told:?}");
    };
    edit(&mut bench, 0, "soon");
    says(&mut bench, 0, "soon");
    edit(&mut bench, 60, "12");
    says(&mut bench, 60, "12");
    for (second, value) in [(61, "12 h"), (62, "12x"), (63, "12 h"), (69, "1d")] {
        edit(&mut bench, second, value);
        assert!(bench.notices_at(second).is_empty(), "at {second} s");
    }
    says(&mut bench, 70, "1d");
    edit(&mut bench, 71, "1y");
    edit(&mut bench, 72, "1d");
    for second in 72..70 + REPEAT {
        assert!(bench.notices_at(second).is_empty(), "at {second} s: it says so already");
    }
    says(&mut bench, 72 + REPEAT, "1d");
}

#[test]
fn b11_an_immutable_secret_is_told_of_only_when_its_token_should_be_renewed() {
    let mut bench = Bench::new();
    let latest = LIFETIME * 84 / 100; // what the reference allows itself: there is no note of ours
    let fresh = SecretBuilder::new("fresh")
        .immutable()
        .token(&jwt("fresh", 0))
        .annotated(keys::RENEW_TIMESTAMP, at(latest).to_string());
    bench.hear(0, fresh.seen(1));
    bench.hear(0, SecretBuilder::new("empty").immutable().seen(1));
    assert_eq!(bench.published_at(0), ["empty SECRET_IMMUTABLE immutable"]);
    bench.hear(latest - 2, SecretBuilder::new("empty").seen(2));
    assert!(bench.published_at(latest - 1).is_empty());
    assert_eq!(bench.published_at(latest), ["fresh SECRET_IMMUTABLE immutable"]);
}

#[test]
fn b12_a_storm_that_is_held_names_the_other_writer() {
    let spoilt = |streak| {
        let mut seen = SecretBuilder::new("a").token("spoilt").seen(1);
        let other = OtherWriter { manager: "stranger".to_owned(), at: Some(at(9)) };
        seen.record = Record {
            memory: Some(Memory::new(at(9), streak).spoilt()),
            other_writer: Some(Box::new(other)),
            ..seen.record
        };
        seen
    };
    let mut bench = Bench::new();
    bench.hear(10, spoilt(2));
    assert!(bench.published_at(10).is_empty(), "that may be a slip");
    bench.hear(10, spoilt(3));
    let notice = bench.desk.take(at(10)).unwrap();
    assert_eq!((notice.reason.as_str(), notice.key.as_str()), ("RENEWAL_HELD", ""));
    assert_eq!(
        notice.message,
        "tokens issued in a row before the planned moment: 3, now because of unreadable; the next \
         one is held back, at pauses that double; another token was put in the place of ours; \
         \"stranger\" at 1970-01-01T00:00:09Z wrote it after us, find out why"
    );
}

#[test]
fn b12_a_secret_that_cannot_be_written_is_not_told_of_as_a_storm() {
    let tried = |in_vain| {
        let mut seen = SecretBuilder::new("a").seen(1);
        seen.record.memory = Some(Memory::new(at(9), 3).spoilt());
        Seen { in_vain, ..seen }
    };
    let mut bench = Bench::new();
    bench.hear(10, tried(true));
    assert!(bench.published_at(10).is_empty(), "what keeps it from being written is the trouble");
    bench.hear(11, tried(false));
    assert_eq!(bench.published_at(11), ["a RENEWAL_HELD "], "somebody took the token away");
}

fn refused(code: Code, reason: &str) -> RenewError {
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, perennial_rpc::status::DOMAIN, []);
    let status = Status::with_error_details(code, "choose another account", details);
    RenewError::Issue { secret: secret_ref("a"), cause: Remote::from(status) }
}

#[test]
fn of_failed_renewals_only_what_a_person_must_end_is_told() {
    for (code, reason, told) in [
        (Code::PermissionDenied, "POLICY_OWN_ACCOUNT", true),
        (Code::FailedPrecondition, "POLICY_LIFETIME", true),
        (Code::NotFound, "SHOOT_NAMESPACE_NOT_ALLOWED", true),
        (Code::NotFound, "NAMESPACE_MISSING", true),
        (Code::PermissionDenied, "API_SERVER_FORBIDDEN", true),
        (Code::InvalidArgument, "API_SERVER_REFUSED", true),
        (Code::NotFound, "SHOOT_UNKNOWN", false),
        (Code::Unavailable, "API_SERVER_UNREACHABLE", false),
        (Code::ResourceExhausted, "API_SERVER_THROTTLED", false),
        (Code::PermissionDenied, "PEER_REFUSED_US", false),
    ] {
        let trouble = trouble::of_error(&refused(code, reason));
        assert_eq!(trouble.is_some(), told, "{reason}");
        if let Some(trouble) = trouble {
            assert_eq!((trouble.reason.as_str(), trouble.key.as_str()), (reason, ""));
            assert_eq!(trouble.message, "choose another account");
        }
    }
    let held = RenewError::Held { secret: secret_ref("a"), until: at(1), left: Duration::ZERO };
    assert_eq!(trouble::of_error(&held), None, "the record says so");
}

#[test]
fn a_refusal_that_comes_with_every_attempt_is_told_once_and_not_after_an_edit() {
    let mut bench = Bench::new();
    let seen = Arc::new(SecretBuilder::new("a").seen(1));
    let refuse = |bench: &mut Bench, second| {
        let trouble = trouble::of_error(&refused(Code::PermissionDenied, "POLICY_X")).unwrap();
        bench.desk.refused(Arc::clone(&seen), trouble, at(second), &bench.metrics);
    };
    refuse(&mut bench, 0);
    assert_eq!(bench.published_at(0), ["a POLICY_X "]);
    for second in (1..REPEAT).step_by(60) {
        refuse(&mut bench, second);
        assert!(bench.published_at(second).is_empty(), "at {second} s");
    }
    refuse(&mut bench, REPEAT);
    bench.hear(REPEAT, SecretBuilder::new("a").annotated(keys::ACCOUNT_NAME, "b").seen(2));
    assert!(bench.published_at(REPEAT).is_empty(), "it asks for something else by now");
}

#[test]
fn a_seed_that_takes_no_events_is_asked_at_pauses_that_double_and_nothing_is_lost() {
    let mut bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.hear(0, soon(name).seen(1));
    }
    let mut asked = Vec::new();
    for second in 0..130 {
        bench.desk.look_again(at(second), &bench.metrics);
        if let Some(notice) = bench.desk.take(at(second)) {
            bench.desk.failed(notice, true, at(second));
            asked.push(second);
        }
    }
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123]);
    let mut published = bench.published_at(200);
    published.sort();
    assert_eq!(published, ["a", "b", "c"].map(invalid));
}

/// A seed that takes every Event.
#[derive(Debug, Default)]
struct Taken(std::sync::Mutex<Vec<Notice>>);

impl Publish for Taken {
    fn publish<'a>(
        &'a self,
        notice: &'a Notice,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        self.0.lock().unwrap().push(notice.clone());
        Box::pin(std::future::ready(Ok(Published::Made)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_wrong_secrets_have_their_events_within_a_minute_and_not_at_once() {
    let supervisor = perennial_process::supervise::Supervisor::new(Duration::from_secs(1));
    let (store, taken) = (crate::fixtures::store(), Arc::new(Taken::default()));
    let metrics = Metrics::new(&mut Registry::default());
    let (_reporter, heard) = Reporter::new(metrics.clone());
    let means = Means {
        store: store.clone(),
        refused: heard,
        publish: taken.clone(),
        clock: Arc::new(perennial_testing::clock::ManualClock::at(at(0))),
        metrics,
    };
    supervisor.tasks().spawn("events", run(means, supervisor.shutdown()));
    store.begin_snapshot();
    (0..1_000).for_each(|n| store.upsert(soon(&format!("s{n}")).seen(n + 1)));
    store.complete_snapshot();
    let test = async {
        let count = || taken.0.lock().unwrap().len();
        tokio::time::sleep(Duration::from_millis(10_100)).await;
        assert!((200..=11 * PER_BEAT_MAX).contains(&count()), "{} after 10 s", count());
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(count(), 1_000);
    };
    supervisor.run_until(test).await.unwrap();
}
