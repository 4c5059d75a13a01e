//! The troubles that end a start at once.

use std::{fs, net::TcpListener, path::Path};

use perennial_lab::service::SERVICES;
use perennial_testing::certificates::Authority;
use tempfile::TempDir;

/// Stands in damaged files, and must stand in no line.
pub(super) const SECRET: &str = "hunter2";

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: seed\n\
    contexts: [{name: seed, context: {cluster: seed, user: seed}}]\n\
    clusters: [{name: seed, cluster: {server: 'https://127.0.0.1:1'}}]\n\
    users: [{name: seed, user: {token: hunter2}}]\n";

pub(super) struct Case {
    pub(super) service: &'static str,
    pub(super) trouble: &'static str,
    pub(super) args: Vec<String>,
    pub(super) code: i32,
    /// Of the one line.
    pub(super) words: &'static str,
}

/// Files, good and bad, and a port that is taken.
pub(super) struct Bench {
    authority: Authority,
    folder: TempDir,
    taken: TcpListener,
}

impl Bench {
    pub(super) fn new() -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let bench =
            Self { authority: Authority::new(), folder: tempfile::tempdir().unwrap(), taken };
        for service in SERVICES {
            bench.write_folders(service);
        }
        for (name, text) in [
            ("seed", KUBECONFIG),
            ("no-yaml", "users: [{name: seed, user: {token: hunter2\n"),
            ("no-mapping", "hunter2\n"),
            ("no-context", "apiVersion: v1\nkind: Config\n"),
            ("no-such-context", &KUBECONFIG.replace("current-context: seed", "current-context: x")),
            ("no-such-ca", &KUBECONFIG.replace("server:", "certificate-authority: none, server:")),
        ] {
            fs::write(bench.folder.path().join(name), text).unwrap();
        }
        bench
    }

    /// `SERVICE`, `SERVICE-damaged`, `SERVICE-no-pair`, `SERVICE-expired`.
    fn write_folders(&self, service: &str) {
        let uri = format!("spiffe://cluster.local/ns/perennial-system/sa/{service}");
        let folder = |kind: &str| {
            let path = self.folder.path().join(format!("{service}{kind}"));
            fs::create_dir(&path).unwrap();
            self.authority.fill(&path, &[&uri]).unwrap();
            path
        };
        let write = |path: &Path, file: &str, text: &str| fs::write(path.join(file), text).unwrap();
        folder("");
        write(&folder("-damaged"), "tls.crt", "-----BEGIN CERTIFICATE-----\nhunter2\n");
        let key = self.authority.certificate("other", &[&uri]).key_pem;
        write(&folder("-no-pair"), "tls.key", &key);
        write(&folder("-bad-key"), "tls.key", "-----BEGIN PRIVATE KEY-----\nhunter2\n");
        let expired = self.authority.expired_certificate("expired", &[&uri]);
        let path = folder("-expired");
        write(&path, "tls.crt", &expired.certificate_pem);
        write(&path, "tls.key", &expired.key_pem);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Flags with which the service would start.
    fn good(&self, service: &str) -> Vec<String> {
        let peers = ["--token-issuer-addr=127.0.0.1:1", "--secret-writer-addr=127.0.0.1:1"];
        let (seed, of) =
            (format!("--seed-kubeconfig={}", self.path("seed")), |n: usize| peers[n].to_owned());
        let mut args: Vec<String> =
            ["--log-format=text", "--listen-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"]
                .map(str::to_owned)
                .to_vec();
        args.push(format!("--tls-dir={}", self.path(service)));
        args.extend(match service {
            "token-issuer" => vec![seed],
            "secret-writer" => vec![seed, of(0)],
            _ => vec![seed, of(0), of(1)],
        });
        args
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        SERVICES.into_iter().flat_map(|service| self.cases_of(service)).collect()
    }

    fn cases_of(&self, service: &'static str) -> Vec<Case> {
        let taken = self.taken.local_addr().unwrap();
        let tls = |kind: &str| format!("--tls-dir={}", self.path(&format!("{service}{kind}")));
        let seed = |name: &str| format!("--seed-kubeconfig={}", self.path(name));
        let other = if service == "scheduler" { "token-issuer" } else { "scheduler" };
        let mut troubles = vec![
            (
                "an unknown flag",
                "--no-such-flag".to_owned(),
                64,
                "unexpected argument '--no-such-flag'",
            ),
            ("a value that is none", "--listen-addr=here".to_owned(), 64, "invalid socket address"),
            (
                "a port in use",
                format!("--listen-addr={taken}"),
                69,
                "(--listen-addr): address in use; choose another port",
            ),
            (
                "an admin port in use",
                format!("--admin-addr={taken}"),
                69,
                "(--admin-addr): address in use; choose another port",
            ),
            ("no certificate", tls("-none"), 66, "it must hold the certificate of this process"),
            (
                "a damaged certificate",
                tls("-damaged"),
                65,
                "has no readable certificate; write the certificate of this process",
            ),
            ("a damaged key", tls("-bad-key"), 65, "has no usable private key; write an ECDSA"),
            ("the key of another certificate", tls("-no-pair"), 65, "replace both together"),
            (
                "an expired certificate",
                tls("-expired"),
                75,
                "expired at 2026-01-01T00:00:00Z; renew it",
            ),
            (
                "the certificate of another service",
                format!("--tls-dir={}", self.path(other)),
                78,
                "; mount the right one, or correct --trust-domain",
            ),
        ];
        troubles.extend([
            (
                "no kubeconfig",
                seed("none"),
                66,
                "give a file that exists with --seed-kubeconfig or KUBECONFIG",
            ),
            (
                "a kubeconfig that is not YAML",
                seed("no-yaml"),
                65,
                "is no kubeconfig from line 1 on; write one there",
            ),
            ("a kubeconfig that is something else", seed("no-mapping"), 65, "is no kubeconfig"),
            ("a kubeconfig without context", seed("no-context"), 78, "cannot be used: "),
            (
                "a kubeconfig whose context is not there",
                seed("no-such-context"),
                78,
                "cannot be used: failed to load current context: x; correct it",
            ),
            ("a kubeconfig whose CA file is not there", seed("no-such-ca"), 66, "none"),
        ]);
        if service != "token-issuer" {
            let addr = "--token-issuer-addr=here".to_owned();
            troubles.push((
                "a peer that is no address",
                addr,
                64,
                "\"here\" is not an address; write it as host:port",
            ));
        }
        let case = |(trouble, bad, code, words): (_, String, _, _)| {
            let flag = bad.split('=').next().unwrap_or_default().to_owned() + "=";
            let good = self.good(service).into_iter().filter(|arg| !arg.starts_with(&flag));
            Case { service, trouble, args: good.chain([bad]).collect(), code, words }
        };
        troubles.into_iter().map(case).collect()
    }
}
