use std::fs;

use perennial_core::failure;
use perennial_rpc::{
    identity::Role,
    tls::{Reload, TlsArgs, TlsError, TlsStore},
};

use crate::{
    pki::Authority,
    world::{HEALTH, World, call, trust},
};

#[tokio::test]
async fn certificates_swapped_on_disk_count_from_the_next_connection_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = old.folder(Role::TokenIssuer);
    let tls = TlsStore::open(folder.path()).unwrap();
    let world = World::serving(tls.clone()).await;
    let id = trust().id(Role::TokenIssuer);
    let (old_client, new_client) = (old.store(Role::Operator), new.store(Role::Operator));
    let open = world.channel(&old_client, id.clone());
    call(open.clone(), HEALTH).await.unwrap();
    assert!(world.call(&new_client, HEALTH).await.is_err());

    new.fill(folder.path(), &[&id.to_string()]);
    assert_eq!(tls.reload().unwrap(), Reload::Swapped);

    world.call(&new_client, HEALTH).await.unwrap();
    assert!(world.call(&old_client, HEALTH).await.is_err());
    call(open, HEALTH).await.unwrap(); // what was connected stays connected
    assert_eq!(tls.reload().unwrap(), Reload::Unchanged);
}

#[tokio::test]
async fn bad_content_is_told_and_the_old_certificates_stay() {
    let ca = Authority::new();
    let folder = ca.folder(Role::TokenIssuer);
    let tls = TlsStore::open(folder.path()).unwrap();
    let world = World::serving(tls.clone()).await;
    let good = fs::read(folder.path().join("tls.key")).unwrap();

    let other = ca.folder(Role::TokenIssuer);
    fs::copy(other.path().join("tls.key"), folder.path().join("tls.key")).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Mismatch { .. })));

    fs::write(folder.path().join("tls.key"), "-----BEGIN hunter2").unwrap();
    let error = tls.reload().unwrap_err();
    assert!(matches!(error, TlsError::Key { .. }));
    assert!(!format!("{error:?} {}", failure::chain(&error)).contains("hunter2"));

    fs::write(folder.path().join("tls.key"), good).unwrap();
    fs::write(folder.path().join("ca.crt"), "").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Certificate { .. })));

    fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let error = failure::chain(&tls.reload().unwrap_err());
    assert!(error.contains("ca.crt; it must hold the certificates of the CA as PEM"), "{error}");

    world.call(&ca.store(Role::Operator), HEALTH).await.unwrap();
}

#[test]
fn a_certificate_of_somebody_else_is_not_taken_up() {
    let ca = Authority::new();
    let folder = ca.folder(Role::TokenIssuer);
    let tls = TlsStore::open(folder.path()).unwrap();

    ca.fill(folder.path(), &[&trust().id(Role::Operator).to_string()]);

    assert!(matches!(tls.reload(), Err(TlsError::IdentityChanged { .. })));
    assert_eq!(tls.identity(), trust().id(Role::TokenIssuer));
}

#[test]
fn a_certificate_without_one_spiffe_uri_is_refused_at_the_start() {
    let ca = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let id = trust().id(Role::Operator).to_string();

    for uris in [&[][..], &[id.as_str(), id.as_str()], &["https://cluster.local"]] {
        ca.fill(folder.path(), uris);
        assert!(
            matches!(TlsStore::open(folder.path()), Err(TlsError::Identity { .. })),
            "{uris:?}"
        );
    }
}

#[test]
fn a_service_does_not_start_with_the_certificate_of_another() {
    let folder = Authority::new().folder(Role::TokenIssuer);
    let trust = trust();
    let args = TlsArgs {
        tls_dir: folder.path().to_owned(),
        trust_domain: trust.trust_domain,
        identity_namespace: trust.namespace,
    };
    assert!(args.open(Role::TokenIssuer).is_ok());
    let error = args.open(Role::Scheduler).unwrap_err();
    assert!(matches!(error, TlsError::NotOurs { .. }), "{error}");
}
