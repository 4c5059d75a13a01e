//! Who orders without end (contract, B12).

use super::*;

/// Orders a renewal whenever it is not held, for twenty minutes; `answer` is what becomes of each
/// write. Returns the moments at which tokens were issued.
async fn tokens_of_a_wild_scheduler(bench: &Bench, answer: impl Fn(&Bench)) -> Vec<i64> {
    let mut issued = Vec::new();
    for second in 0..20 * 60 {
        bench.clock.set(at(second));
        for _ in 0..3 {
            answer(bench);
            let before = bench.issuer.asked();
            let order = Order {
                basis_seconds: 1, // as if every token were old at once
                place: 0.0,
                window: Window::MASS_START,
                ..bench.order(Reason::Requested)
            };
            let outcome = bench.renewals.renew(order).await;
            if bench.issuer.asked() > before {
                issued.push(second);
            } else {
                assert_eq!(kind(outcome), told(Kind::Held, "RENEWAL_HELD"));
            }
        }
    }
    issued
}

#[tokio::test]
async fn b12_a_wild_scheduler_gets_no_storm() {
    Bench::new()
        .run(async |bench| {
            let issued = tokens_of_a_wild_scheduler(bench, |_| {}).await;
            // So short a basis is not believed: pauses grow as if it were the default one.
            // Nothing on the Secret says that a token did not stand for two seconds: eight of them.
            let at_once = [2, 4, 6, 8, 10, 12, 14, 16];
            assert_eq!(issued[..2], [0, 0]);
            assert_eq!(issued[2..10], at_once);
            assert_eq!(issued[10..], [26, 46, 86, 166, 326, 646]);
        })
        .await;
}

#[tokio::test]
async fn b12_writes_that_always_fail_are_no_storm_either() {
    Bench::new()
        .run(async |bench| {
            let fail = |bench: &Bench| {
                let refused = |order: &WriteOrder| {
                    let secret = order.seen.record.secret.clone();
                    Err(WriteError::Contended { secret, rounds: 5 })
                };
                bench.writer.answers_with(Box::new(refused));
            };
            let issued = tokens_of_a_wild_scheduler(bench, fail).await;
            assert_eq!(issued, [0, 0, 10, 30, 70, 150, 310, 630]);
        })
        .await;
}

#[tokio::test]
async fn b12_a_stranger_who_spoils_every_token_and_the_note_gets_no_storm() {
    Bench::new()
        .run(async |bench| {
            let mut issued = Vec::new();
            for second in 0..20 * 60 {
                bench.clock.set(at(second));
                let version = 10 + 2 * second.unsigned_abs();
                bench.store.upsert(SecretBuilder::new("a").token("spoilt").seen(version));
                if bench.renew(Reason::Unreadable).await.is_ok() {
                    issued.push(second);
                }
            }
            assert_eq!(issued, [0, 1, 11, 31, 71, 151, 311, 631]);
        })
        .await;
}
