//! Revocation in bulk: a selection by labels, by the command, on a real shoot.

use super::*;

/// Secrets whose tokens have leaked.
const LEAKED: usize = 40;
/// Secrets of another application.
const OTHERS: usize = 5;
/// From the begin of the campaign until no old token is taken: a token each, and the time for which the
/// API server may go on taking one that is bound to nothing any more.
const DONE_WITHIN: Duration = Duration::from_secs(50);

fn labelled(name: &str, app: &str, more: &[(&str, &str)]) -> Secret {
    let mut secret = access_secret(name, more);
    secret.metadata.labels.get_or_insert_default().insert("app".to_owned(), app.to_owned());
    secret
}

fn leaked(number: usize) -> String {
    format!("shoot-access-leaked-{number:02}")
}

fn other(number: usize) -> String {
    format!("shoot-access-other-{number}")
}

async fn tokens(house: &House, names: &[String]) -> Vec<String> {
    let mut tokens = Vec::new();
    for name in names {
        let wanted = |secret: &Secret| token(secret).is_some();
        let secret = house.wait(1, name, "a token", wanted).await;
        tokens.extend(token(&secret));
    }
    tokens
}

#[tokio::test]
async fn d_a_campaign_revokes_what_its_labels_select_and_names_what_cannot_be_revoked() {
    let house = House::start(1, &[]).await;
    let names: Vec<_> = (0..LEAKED).map(leaked).collect();
    let others: Vec<_> = (0..OTHERS).map(other).collect();
    for name in &names {
        house.create(1, labelled(name, "leaked", &[REVOCABLE])).await;
    }
    for name in &others {
        house.create(1, labelled(name, "other", &[REVOCABLE])).await;
    }
    house.create(1, labelled("shoot-access-plain", "leaked", &[])).await;
    let plain = "shoot-access-plain".to_owned();
    let (old, old_others) = (tokens(&house, &names).await, tokens(&house, &others).await);
    let old_plain = tokens(&house, std::slice::from_ref(&plain)).await;

    let shoot = namespace(1);
    let typed_wrong = ["campaign", "start", &shoot, "-l", "app=leakd", "--reason=tested"];
    let refused = perennial(&house, &typed_wrong).await;
    assert_eq!(code(&refused), 66, "{}", errors(&refused));
    assert!(errors(&refused).contains("app=leakd"), "{}", errors(&refused));

    let before = house.counts().await;
    let begin = SystemClock.now();
    let command =
        ["campaign", "revoke", &shoot, "-l", "app=leaked", "--grace=0", "--reason=tested"];
    let output = perennial(&house, &command).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    let spent = house.counts().await.since(&before);
    println!("{} tokens revoked in {took:.1?}\n{}", LEAKED, text(&output));
    assert_eq!(code(&output), 1, "one cannot be revoked: {}{}", text(&output), errors(&output));
    assert!(text(&output).contains(&plain), "{}", text(&output));
    assert_eq!(spent.shoot.tokens_granted(), LEAKED as u64, "one TokenRequest each");
    assert!(took <= DONE_WITHIN, "{took:?}");
    for (name, old) in names.iter().zip(&old) {
        assert!(!house.takes(old).await, "{name}: an old token works after the end");
        assert_eq!(house.generations_of(name).await, [2], "{name}");
    }
    for new in tokens(&house, &names).await {
        assert!(house.takes(&new).await);
    }
    assert!(house.takes(&old_plain[0]).await, "what cannot be revoked is left alone");
    assert_eq!(tokens(&house, &others).await, old_others, "not of its selection");

    let again = ["campaign", "start", "-l", "app in (other)", "--reason=tested"];
    let output = perennial(&house, &again).await;
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    let renewed = tokens(&house, &others).await;
    assert!(renewed.iter().all(|new| !old_others.contains(new)));
    house.end().await;
}
