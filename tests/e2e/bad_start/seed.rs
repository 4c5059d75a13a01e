//! A seed that refuses or is away, with one lab for all of it.

use std::{net::SocketAddr, time::Duration};

use k8s_openapi::api::{core::v1::ServiceAccount, rbac::v1::ClusterRoleBinding};
use kube::{Api, api::PostParams};
use perennial_lab::{
    Lab, Options, http,
    kubeconfig::{Credential, Endpoint},
    poll::{Look, until},
    ports::Ports,
    service::NAMESPACE,
};
use serde_json::json;
use tempfile::TempDir;

use super::program::Program;
use crate::house::MOMENT;

#[tokio::test]
async fn a_seed_that_is_away_is_waited_for_and_one_that_refuses_for_30_s() {
    let lab = Lab::start(Options { start_services: false, ..Options::default() }).await.unwrap();
    let scene = Scene::new(&lab);
    tokio::join!(
        scene.without_rights(
            "secret-writer",
            "ClusterRole perennial-secret-writer: get, list, watch"
        ),
        scene
            .without_rights("token-issuer", "ClusterRole perennial-token-issuer: get, list, watch"),
        scene.a_scheduler_without_rights(),
        scene.unknown_to_the_seed(),
        scene.rights_arrive_late(),
        scene.nobody_listens("secret-writer"),
        scene.nobody_listens("token-issuer"),
        scene.the_seed_comes_later(),
    );
    lab.stop().await.unwrap();
}

struct Scene<'a> {
    lab: &'a Lab,
    folder: TempDir,
    ports: std::sync::Mutex<Ports>,
}

impl<'a> Scene<'a> {
    fn new(lab: &'a Lab) -> Self {
        let ports = std::sync::Mutex::new(Ports::new().unwrap());
        Self { lab, folder: tempfile::tempdir().unwrap(), ports }
    }

    fn port(&self) -> SocketAddr {
        self.ports.lock().unwrap().take().unwrap()
    }

    /// Starts a service with a credential for an API server; its admin port comes with it.
    fn start(&self, service: &str, seed: &Endpoint, token: &str) -> (Program, SocketAddr) {
        let admin = self.port();
        let path = self.folder.path().join(format!("{}.yaml", admin.port()));
        std::fs::write(&path, seed.kubeconfig("seed", &Credential::Token(token))).unwrap();
        let mut args = vec![
            "--log-format=text".to_owned(),
            "--listen-addr=127.0.0.1:0".to_owned(),
            format!("--admin-addr={admin}"),
            format!("--tls-dir={}", self.lab.dir().tls(service).display()),
            format!("--seed-kubeconfig={}", path.display()),
        ];
        if service != "token-issuer" {
            args.push("--token-issuer-addr=127.0.0.1:1".to_owned());
        }
        if service == "scheduler" {
            args.push("--secret-writer-addr=127.0.0.1:1".to_owned());
        }
        (Program::start(service, &args), admin)
    }

    async fn token(&self, account: &str) -> String {
        let life = Duration::from_secs(3600);
        self.lab.seed().token(NAMESPACE, account, life).await.unwrap()
    }

    /// It must not look like one that is about to start: nothing is renewed meanwhile.
    async fn a_scheduler_without_rights(&self) {
        let token = self.token("token-issuer").await;
        let (program, admin) = self.start("scheduler", self.lab.seed().endpoint(), &token);
        program.wait_readyz("perennial-stop", admin).await;
        let ended = program.ended().await;
        println!("scheduler without rights: {} {}", ended.code, ended.said);
        assert_eq!((ended.code, ended.errors), (77, 1), "{ended:#?}");
        assert!(ended.said.contains("deploy/seed/scheduler-rbac.yaml"), "{ended:#?}");
        let said = warnings(&ended.stderr, "; trying again");
        assert_eq!(said, 2, "of the stop switch and of the Leases, each once: {ended:#?}");
    }

    /// With the account of the scheduler, which may nothing with Secrets.
    async fn without_rights(&self, service: &str, remedy: &str) {
        let token = self.token("scheduler").await;
        let (program, admin) = self.start(service, self.lab.seed().endpoint(), &token);
        let told = program.wait_readyz("is forbidden", admin).await;
        println!("{service} /readyz meanwhile: {}", told.trim());
        let ended = program.ended().await;
        println!("{service} without rights: {} {}", ended.code, ended.said);
        assert_eq!((ended.code, ended.errors), (77, 1), "{ended:#?}");
        assert!(ended.said.contains("cannot list resource"), "{ended:#?}");
        assert!(ended.said.contains(remedy), "{ended:#?}");
        assert_eq!(warnings(&ended.stderr, "; trying again"), 1, "said once: {ended:#?}");
        assert_eq!(warnings(&ended.stderr, ""), 1, "and nobody else says it: {ended:#?}");
    }

    async fn unknown_to_the_seed(&self) {
        let (program, admin) =
            self.start("secret-writer", self.lab.seed().endpoint(), "no.such.token");
        program.wait_readyz("Unauthorized", admin).await;
        let ended = program.ended().await;
        println!("secret-writer unknown to the seed: {} {}", ended.code, ended.said);
        assert_eq!((ended.code, ended.errors), (77, 1), "{ended:#?}");
        assert!(
            ended.said.contains("or correct the credential in --seed-kubeconfig"),
            "{ended:#?}"
        );
    }

    /// RBAC that comes a moment after the Pod.
    async fn rights_arrive_late(&self) {
        let admin_client = self.lab.seed().client();
        let account = json!({"metadata": {"name": "late"}});
        let account: ServiceAccount = serde_json::from_value(account).unwrap();
        let accounts = Api::namespaced(admin_client.clone(), NAMESPACE);
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let token = self.token("late").await;
        let (program, admin) = self.start("secret-writer", self.lab.seed().endpoint(), &token);
        program.wait_readyz("is forbidden", admin).await;

        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": "late"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "perennial-secret-writer",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "late", "namespace": NAMESPACE}],
        }))
        .unwrap();
        let bindings = Api::all(admin_client);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        program.wait_readyz("ok", admin).await;
        assert_eq!(program.terminate().await.code, 0);
    }

    async fn nobody_listens(&self, service: &str) {
        let url = format!("https://{}", self.port());
        let nobody =
            Endpoint { url, ca: self.lab.seed().endpoint().ca.clone(), tls_server_name: None };
        let (program, admin) = self.start(service, &nobody, "x");
        let told = program.wait_readyz("Connection refused", admin).await;
        println!("{service} /readyz without a seed: {}", told.trim());
        let tries = async || {
            let (_, metrics) = http::get("/metrics", admin).await?;
            let name = "perennial_secret_writer_watch_failures_total";
            let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            let count = line.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            Ok(if count > 3 { Look::Done(()) } else { Look::Waiting(line.to_owned()) })
        };
        if service == "secret-writer" {
            until("more than three tries", MOMENT, tries).await.unwrap();
        }
        let ended = program.terminate().await;
        assert_eq!((ended.code, ended.errors), (0, 0), "{ended:#?}");
        // The token-issuer has two watches, and they fail alike.
        assert_eq!(warnings(&ended.stderr, "; trying again"), 1, "said once: {ended:#?}");
    }

    /// An address that nobody answers at first, and the seed's own port behind it later.
    async fn the_seed_comes_later(&self) {
        let at = self.port();
        let seed = self.lab.seed().endpoint();
        let later =
            Endpoint { url: format!("https://{at}"), ca: seed.ca.clone(), tls_server_name: None };
        let token = self.token("secret-writer").await;
        let (program, admin) = self.start("secret-writer", &later, &token);
        program.wait_readyz("Connection refused", admin).await;

        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        let target: SocketAddr = seed.url.trim_start_matches("https://").parse().unwrap();
        tokio::select! {
            () = forward(listener, target) => {}
            told = program.wait_readyz("ok", admin) => println!("the seed is there: {}", told.trim()),
        }
        assert_eq!(program.terminate().await.code, 0);
    }
}

/// Passes connections on until dropped.
async fn forward(listener: tokio::net::TcpListener, target: SocketAddr) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(target).await.unwrap();
        connections.spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
    }
}

fn warnings(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(" WARN ") && line.contains(words)).count()
}
