//! Names of namespaces, accounts and Secrets. Whatever is one may stand in a URL as it is.

use perennial_core::{
    keys,
    name::{AccountName, AccountRef, Namespace, SecretName, SecretRef},
};

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let keys = [keys::ACCOUNT_NAME, keys::ACCOUNT_NAMESPACE];
    keys.iter().flat_map(|key| super::annotation(key, number)).collect()
}

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let namespace = text.parse::<Namespace>();
    let (account, secret) = (text.parse::<AccountName>(), text.parse::<SecretName>());
    assert_eq!(account.is_ok(), secret.is_ok(), "{text:?}");
    if let Ok(name) = &account {
        assert_eq!(name.as_str(), text);
        assert!((1..=253).contains(&text.len()) && text.split('.').all(is_label), "{text:?}");
    }
    if let Ok(namespace) = namespace {
        assert!(text.len() <= 63 && is_label(text) && account.is_ok(), "{text:?}");
        let reference =
            AccountRef { namespace: namespace.clone(), name: text.parse().expect("so") };
        assert_eq!(reference.to_string().parse(), Ok(reference.clone()));
        let subject = format!("system:serviceaccount:{text}:{text}");
        assert_eq!(AccountRef::from_subject(&subject), Some(reference));
        assert_eq!(SecretRef::parse(text, text).map(|both| both.namespace), Ok(namespace));
    }
    let _ = AccountRef::from_subject(text);
    let _ = text.parse::<AccountRef>();
}

fn is_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inside) && !text.starts_with('-') && !text.ends_with('-')
}
