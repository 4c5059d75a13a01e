//! A process that ends at a step of a revocation, and whoever picks it up.

use super::*;

/// Steps until the new token stands in the Secret, and how many tokens a crash there costs beside
/// the one that is asked for.
const UNTIL_WRITTEN: [(&str, u64); 7] = [
    ("scheduler.ordered", 0),
    ("secret-writer.permitted", 0),
    ("token-issuer.generation-made", 0),
    ("token-issuer.granted", 1),
    ("secret-writer.issued", 1),
    ("secret-writer.written", 0),
    ("scheduler.answered", 0),
];
/// Steps after that, when the old generation goes.
const UNTIL_GONE: [&str; 2] = ["token-issuer.generation-deleted", "secret-writer.revoked"];

#[tokio::test]
async fn d_a_crash_at_any_step_of_a_revocation_is_resumed_and_costs_one_token_at_most() {
    let house = House::start(1, &[]).await;
    let all: Vec<_> = UNTIL_WRITTEN.iter().map(|(point, _)| *point).chain(UNTIL_GONE).collect();
    house.give_crash_points(&all).await;
    for point in &all {
        house.ask(1, &secret_of(point), &[REVOCABLE]).await;
    }
    for point in &all {
        house.wait_for_generation(&secret_of(point), 1).await;
    }
    for point in all {
        let name = secret_of(point);
        let old = token(&house.secrets(1).get(&name).await.unwrap()).unwrap();
        let before = house.counts().await;
        let begin = SystemClock.now();
        // The command goes on asking while a service is away.
        let revoke = house.revoke(&name, &["--grace=0"]);
        let (output, ()) = tokio::join!(revoke, house.crash_at(point, async || {}));
        let took = SystemClock.now().duration_since(begin).unsigned_abs();
        let spent = house.counts().await.since(&before);
        let granted = spent.shoot.tokens_granted();
        println!("{point:33} {granted} tokens, {took:.1?}: {}", last_line(&output));
        assert_eq!(code(&output), 0, "{point}: {}", errors(&output));
        assert!(!house.takes(&old).await, "{point}");
        let secret = house.wait_for_generation(&name, 2).await;
        house.user_of(1, &secret).await; // the shoot takes it
        assert_eq!(house.generations_of(&name).await, [2], "{point}");
        let most = UNTIL_WRITTEN.iter().find(|(of, _)| *of == point).map_or(0, |(_, most)| *most);
        assert!((1..=1 + most).contains(&granted), "{point}: {granted} tokens");
    }
    house.end().await;
}

#[tokio::test]
async fn d_a_revocation_that_nobody_waits_for_is_carried_to_its_end_whoever_restarts() {
    let house = House::start(1, &[]).await;
    let name = "shoot-access-kube-proxy";
    house.ask(1, name, &[REVOCABLE]).await;
    house.wait_for_generation(name, 1).await;
    let old = token(&house.secrets(1).get(name).await.unwrap()).unwrap();
    let secret = format!("{}/{name}", namespace(1));
    let revoke = |more: &[&str]| {
        tokio::process::Command::new("perennial")
            .args(["revoke", &secret])
            .args(more)
            .envs(house.lab.environment().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let mut command = revoke(&["--grace=12s"]);
    let second = house.wait_for_generation(name, 2).await;
    command.kill().await.unwrap();
    let promised = note(&second).unwrap().generation.unwrap().older_until.unwrap();
    // A second revocation with a longer grace is one of the second token, and of no older one.
    let mut command = revoke(&["--grace=45s", "--generation=2"]);
    let third = house.wait_for_generation(name, 3).await;
    command.kill().await.unwrap();
    let second = token(&second).unwrap();
    let last = note(&third).unwrap().generation.unwrap().older_until.unwrap();
    assert!(last > promised.checked_add(Duration::from_secs(30)).unwrap(), "{promised} {last}");
    // In the grace all forget what they knew.
    for service in perennial_lab::service::SERVICES {
        house.lab.service(service).restart().await.unwrap();
    }
    for service in perennial_lab::service::SERVICES {
        house.lab.service(service).wait_ready().await.unwrap();
    }
    let gone = async || {
        let left = house.generations_of(name).await;
        let early = left == [2, 3] && SystemClock.now() < promised;
        assert!(!early, "the grace was not kept");
        Ok(if left == [2, 3] { Look::Done(()) } else { Look::Waiting(format!("{left:?}")) })
    };
    until("the oldest generation being gone", MOMENT, gone).await.unwrap();
    let refused = async || {
        let taken = house.takes(&old).await;
        Ok(if taken { Look::Waiting("taken".to_owned()) } else { Look::Done(()) })
    };
    until("the oldest token being refused", MOMENT, refused).await.unwrap();
    let late = SystemClock.now().duration_since(promised);
    println!("the oldest token is refused {late:#} after its own end; the longer one is {last}");
    assert!(SystemClock.now() < last, "by its own end, and not by that of the second");
    assert!(house.takes(&second).await, "the second keeps its grace");
    // Whoever shortens, shortens.
    let output = house.revoke(name, &["--grace=0", "--generation=2"]).await;
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(!house.takes(&second).await);
    assert_eq!(house.generations_of(name).await, [3]);
    house.end().await;
}

fn last_line(output: &Output) -> String {
    text(output).lines().last().unwrap_or_default().to_owned()
}

fn secret_of(point: &str) -> String {
    format!("shoot-access-{}", point.replace('.', "-"))
}
