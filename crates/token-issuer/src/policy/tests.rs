use std::time::Duration;

use perennial_core::{
    failure::{Failure as _, Kind},
    name::SecretRef,
};

use super::*;

const OWN: &str = "shoot-access-token-issuer";
const OWN_ACCOUNT: &str = "kube-system/perennial-token-issuer";

fn policy(rules: PolicyArgs) -> Policy {
    Policy {
        own_secret: OWN.parse().unwrap(),
        own_account: OWN_ACCOUNT.parse().unwrap(),
        shoot_namespaces: ShootNamespaces::new(vec!["shoot--*".parse().unwrap()]),
        rules,
    }
}

fn ask(secret: &str, account: &str) -> Ask {
    Ask {
        secret: SecretRef::parse("shoot--lab--1", secret).unwrap(),
        account: account.parse().unwrap(),
        account_labels: [].into(),
        lifetime_seconds: 43_200,
        audiences: Vec::new(),
        goal: None,
        binding: None,
    }
}

fn refused(rules: PolicyArgs, ask: &Ask) -> (String, String) {
    let refusal = policy(rules).admit(ask).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Denied);
    (refusal.reason().to_owned(), refusal.to_string())
}

#[test]
fn without_settings_everything_is_admitted_that_the_reference_serves() {
    let policy = policy(PolicyArgs::default());
    let mut long = ask("shoot-access-x", "default/x");
    long.lifetime_seconds = 1 << 32;
    long.audiences = vec!["anybody".to_owned()];
    for ask in [long, ask("a", "kube-system/kube-controller-manager"), ask(OWN, OWN_ACCOUNT)] {
        assert_eq!(policy.admit(&ask), Ok(()), "{ask:?}");
    }
}

#[test]
fn the_own_account_is_for_the_own_secret_only() {
    let (reason, text) = refused(PolicyArgs::default(), &ask("shoot-access-thief", OWN_ACCOUNT));
    assert_eq!(reason, "POLICY_OWN_ACCOUNT");
    assert_eq!(
        text,
        "shoot--lab--1/shoot-access-thief may not have a token of \
         kube-system/perennial-token-issuer, the token-issuer's own account: only the Secret \
         shoot-access-token-issuer of the same namespace may; use another ServiceAccount in \
         annotation serviceaccount.resources.gardener.cloud/name"
    );
}

#[test]
fn a_secret_outside_of_shoot_namespaces_is_refused_by_the_name_of_the_flag() {
    let mut stray = ask("shoot-access-x", "kube-system/x");
    stray.secret.namespace = "default".parse().unwrap();
    let (reason, text) = refused(PolicyArgs::default(), &stray);
    assert_eq!(reason, "SHOOT_NAMESPACE_NOT_ALLOWED");
    assert_eq!(
        text,
        "namespace default may not hold a shoot, because none of the patterns \
         --shoot-namespace=shoot--* of the token-issuer matches it; move the Secret to the \
         namespace of a shoot, or add a pattern there"
    );
}

#[test]
fn where_namespaces_are_named_accounts_of_others_get_nothing_but_our_own_does() {
    let rules = PolicyArgs {
        allowed_account_namespace: vec!["monitoring".parse().unwrap(), "ci".parse().unwrap()],
        ..PolicyArgs::default()
    };
    assert_eq!(policy(rules.clone()).admit(&ask("a", "ci/deployer")), Ok(()));
    assert_eq!(policy(rules.clone()).admit(&ask(OWN, OWN_ACCOUNT)), Ok(()));
    let (reason, text) = refused(rules, &ask("shoot-access-x", "kube-system/x"));
    assert_eq!(reason, "POLICY_ACCOUNT_NAMESPACE");
    assert_eq!(
        text,
        "shoot--lab--1/shoot-access-x may not have a token of kube-system/x: annotation \
         serviceaccount.resources.gardener.cloud/namespace must name one of the namespaces \
         monitoring, ci; correct it, or add kube-system to --allowed-account-namespace of the \
         token-issuer"
    );
}

#[test]
fn accounts_of_controllers_and_those_of_the_flag_are_denied_and_each_names_its_flag() {
    let rules = PolicyArgs {
        denied_account: vec!["kube-system/admin".parse().unwrap()],
        ..PolicyArgs::default()
    };
    for name in controllers::CONTROLLERS {
        let (reason, text) = refused(rules.clone(), &ask("x", &format!("kube-system/{name}")));
        assert_eq!(reason, "POLICY_DENIED_ACCOUNT");
        assert!(text.contains("--allow-controller-accounts"), "{text}");
    }
    let (reason, text) = refused(rules.clone(), &ask("shoot-access-x", "kube-system/admin"));
    assert_eq!(reason, "POLICY_DENIED_ACCOUNT");
    assert_eq!(
        text,
        "shoot--lab--1/shoot-access-x may not have a token of kube-system/admin, which is denied \
         to everybody; use another ServiceAccount in annotation \
         serviceaccount.resources.gardener.cloud/name, or take it from --denied-account of the \
         token-issuer"
    );

    let lifted = PolicyArgs { allow_controller_accounts: true, ..rules };
    let controller = ask("x", "kube-system/namespace-controller");
    assert_eq!(policy(lifted.clone()).admit(&controller), Ok(()));
    assert_eq!(refused(lifted, &ask("x", "kube-system/admin")).0, "POLICY_DENIED_ACCOUNT");
    let namesake = ask("x", "default/namespace-controller");
    assert_eq!(policy(PolicyArgs::default()).admit(&namesake), Ok(()));
}

#[test]
fn only_accounts_that_some_secret_may_name_are_watched() {
    let policy = policy(PolicyArgs::default());
    let may = |shoot: &str, account: &str| {
        policy.may_observe(&shoot.parse().unwrap(), &account.parse().unwrap())
    };
    assert!(may("shoot--lab--1", "kube-system/x"));
    assert!(may("shoot--lab--1", OWN_ACCOUNT));
    assert!(!may("shoot--lab--1", "kube-system/namespace-controller"));
    assert!(!may("garden", "kube-system/x"));
}

#[test]
fn a_lifetime_beyond_the_longest_is_refused_and_not_shortened_for_ourselves_too() {
    let rules = PolicyArgs { lifetime_max: Duration::from_secs(43_200), ..PolicyArgs::default() };
    let mut long = ask("shoot-access-x", "kube-system/x");
    assert_eq!(policy(rules.clone()).admit(&long), Ok(()));
    long.lifetime_seconds += 1;
    let (reason, text) = refused(rules.clone(), &long);
    assert_eq!(reason, "POLICY_LIFETIME");
    assert_eq!(
        text,
        "shoot--lab--1/shoot-access-x may not have a token of 43201 s: annotation \
         serviceaccount.resources.gardener.cloud/token-expiration-duration must be at most 43200 \
         s; lower it, or raise --lifetime-max of the token-issuer"
    );
    let own = Ask { lifetime_seconds: 720 * 3_600, ..ask(OWN, OWN_ACCOUNT) };
    assert_eq!(refused(rules, &own).0, "POLICY_LIFETIME");
}

#[test]
fn where_audiences_are_named_others_are_refused_and_none_is_the_api_servers_own() {
    let rules =
        PolicyArgs { allowed_audience: vec!["gardener".to_owned()], ..PolicyArgs::default() };
    let mut ask = ask("shoot-access-x", "kube-system/x");
    assert_eq!(policy(rules.clone()).admit(&ask), Ok(()));
    ask.audiences = vec!["gardener".to_owned()];
    assert_eq!(policy(rules.clone()).admit(&ask), Ok(()));
    ask.audiences.push("vault".to_owned());
    let (reason, text) = refused(rules, &ask);
    assert_eq!(reason, "POLICY_AUDIENCE");
    assert_eq!(
        text,
        "shoot--lab--1/shoot-access-x may not have a token for the audience \"vault\": annotation \
         perennial.dev/audiences, or --audience of the secret-writer where there is none, must \
         name only gardener; correct it, or add the audience to --allowed-audience of the \
         token-issuer"
    );
}
