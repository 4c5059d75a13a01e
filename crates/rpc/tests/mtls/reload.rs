use std::{fs, path::Path};

use jiff::Timestamp;
use perennial_core::failure;
use perennial_rpc::{
    identity::Role,
    tls::{Reload, TlsArgs, TlsError, TlsStore},
};

use crate::{
    pki::{Authority, From, Until},
    world::{HEALTH, World, call, trust},
};

/// 2026-11-23; certificates of the tests are valid from 1975 to 4096 unless they say otherwise.
const NOW: Timestamp = Timestamp::constant(1_795_392_000, 0);

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
    assert_eq!(tls.reload(NOW).unwrap(), Reload::Swapped);

    world.call(&new_client, HEALTH).await.unwrap();
    assert!(world.call(&old_client, HEALTH).await.is_err());
    call(open, HEALTH).await.unwrap(); // what was connected stays connected
    assert_eq!(tls.reload(NOW).unwrap(), Reload::Unchanged);
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
    assert!(matches!(tls.reload(NOW), Err(TlsError::Mismatch { .. })));

    fs::write(folder.path().join("tls.key"), "-----BEGIN hunter2").unwrap();
    let error = tls.reload(NOW).unwrap_err();
    assert!(matches!(error, TlsError::Key { .. }));
    assert!(!format!("{error:?} {}", failure::chain(&error)).contains("hunter2"));

    fs::write(folder.path().join("tls.key"), good).unwrap();
    fs::write(folder.path().join("ca.crt"), "").unwrap();
    assert!(matches!(tls.reload(NOW), Err(TlsError::Certificate { .. })));

    fs::remove_file(folder.path().join("ca.crt")).unwrap();
    let error = failure::chain(&tls.reload(NOW).unwrap_err());
    assert!(error.contains("ca.crt; it must hold the certificates of the CA as PEM"), "{error}");

    world.call(&ca.store(Role::Operator), HEALTH).await.unwrap();
}

#[test]
fn a_certificate_of_somebody_else_is_not_taken_up() {
    let ca = Authority::new();
    let folder = ca.folder(Role::TokenIssuer);
    let tls = TlsStore::open(folder.path()).unwrap();

    ca.fill(folder.path(), &[&trust().id(Role::Operator).to_string()]);

    assert!(matches!(tls.reload(NOW), Err(TlsError::IdentityChanged { .. })));
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
    assert!(args.open(Role::TokenIssuer, NOW).is_ok());
    let error = args.open(Role::Scheduler, NOW).unwrap_err();
    assert!(matches!(error, TlsError::NotOurs { .. }), "{error}");
}

#[test]
fn a_service_does_not_start_with_a_certificate_that_is_not_valid_now() {
    let (ca, trust) = (Authority::new(), trust());
    let folder = tempfile::tempdir().unwrap();
    let args = TlsArgs {
        tls_dir: folder.path().to_owned(),
        trust_domain: trust.trust_domain.clone(),
        identity_namespace: trust.namespace.clone(),
    };
    let id = trust.id(Role::Scheduler).to_string();

    ca.fill_valid(folder.path(), &[&id], From(1975), Until(2026));
    let error = args.open(Role::Scheduler, NOW).unwrap_err();
    assert!(matches!(error, TlsError::Expired { .. }), "{error}");
    ca.fill_valid(folder.path(), &[&id], From(2027), Until(2030));
    let error = args.open(Role::Scheduler, NOW).unwrap_err();
    assert!(matches!(error, TlsError::NotYetValid { .. }), "{error}");
}

#[test]
fn a_certificate_is_taken_up_only_while_it_is_valid() {
    let ca = Authority::new();
    let folder = ca.folder(Role::TokenIssuer);
    let tls = TlsStore::open(folder.path()).unwrap();
    let id = trust().id(Role::TokenIssuer).to_string();

    ca.fill_valid(folder.path(), &[&id], From(1975), Until(2026));
    assert!(matches!(tls.reload(NOW), Err(TlsError::Expired { .. })));
    ca.fill_valid(folder.path(), &[&id], From(2027), Until(2030));
    assert!(matches!(tls.reload(NOW), Err(TlsError::NotYetValid { .. })));

    let in_2028 = NOW + jiff::SignedDuration::from_hours(2 * 366 * 24);
    assert_eq!(tls.reload(in_2028).unwrap(), Reload::Swapped, "the same files, later");
    assert_eq!(tls.expires_at().to_string(), "2030-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_authority_is_replaced_by_one_of_the_same_name_without_a_refused_call() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, client) = (old.folder(Role::TokenIssuer), old.folder(Role::Operator));
    let server_tls = TlsStore::open(server.path()).unwrap();
    let world = World::serving(server_tls.clone()).await;
    let client_tls = TlsStore::open(client.path()).unwrap();
    let both = format!("{}{}", old.pem(), new.pem());
    let everybody = [(&server, &server_tls), (&client, &client_tls)];
    let swapped = |tls: &TlsStore| assert_eq!(tls.reload(NOW).unwrap(), Reload::Swapped);

    for (folder, tls) in everybody {
        fs::write(folder.path().join("ca.crt"), &both).unwrap();
        swapped(tls);
        world.call(&client_tls, HEALTH).await.unwrap();
    }
    for ((folder, tls), role) in everybody.into_iter().zip([Role::TokenIssuer, Role::Operator]) {
        new.fill(folder.path(), &[&trust().id(role).to_string()]);
        fs::write(folder.path().join("ca.crt"), &both).unwrap();
        swapped(tls);
        world.call(&client_tls, HEALTH).await.unwrap();
    }
    for (folder, tls) in everybody {
        fs::write(folder.path().join("ca.crt"), new.pem()).unwrap();
        swapped(tls);
        world.call(&client_tls, HEALTH).await.unwrap();
    }
    assert!(world.call(&old.store(Role::Operator), HEALTH).await.is_err(), "the old one is out");
}

/// As the kubelet does it: a new folder, then one symlink to it is swapped.
#[test]
fn files_behind_a_symlink_that_is_swapped_are_always_a_pair() {
    let ca = Authority::new();
    let mount = tempfile::tempdir().unwrap();
    let id = trust().id(Role::TokenIssuer).to_string();
    let swap_in = |generation: u32| {
        let data = mount.path().join(format!("..{generation}"));
        fs::create_dir(&data).unwrap();
        ca.fill(&data, &[&id]);
        link(&format!("..{generation}"), &mount.path().join("..data"));
    };
    swap_in(0);
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        link(&format!("..data/{file}"), &mount.path().join(file));
    }
    let tls = TlsStore::open(mount.path()).unwrap();

    let swaps = 50;
    std::thread::scope(|scope| {
        let swapping = scope.spawn(|| (1..=swaps).for_each(swap_in));
        while !swapping.is_finished() {
            match tls.reload(NOW) {
                Ok(_) | Err(TlsError::Unsettled { .. }) => {}
                Err(error) => panic!("half of two certificates: {error}"),
            }
        }
    });
    tls.reload(NOW).unwrap();
    assert_eq!(tls.reload(NOW).unwrap(), Reload::Unchanged);
}

fn link(target: &str, at: &Path) {
    let new = at.with_file_name("new");
    std::os::unix::fs::symlink(target, &new).unwrap();
    fs::rename(new, at).unwrap();
}
