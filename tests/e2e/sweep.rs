//! Everything that a run leaves behind is searched for tokens.
//!
//! The run ([`scenes`]) is at trace level, with renewals in both modes and whatever goes wrong with
//! tokens at hand. Then logs, spans, metrics, Events, the answers of every method that an operator
//! may call, arguments and environment of the services, and the rest of `LAB_DIR` are looked at;
//! what is left out is named in [`SPARED`].

mod answers;
mod scenes;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Event, Secret};
use kube::{Api, api::ListParams};
use perennial_lab::{
    Lab, Options,
    access_secret::token,
    service::SERVICES,
    sweep::{
        Sweep, What,
        places::{SPARED, Swept},
    },
};

use crate::{collector::Collector, house::House};

#[tokio::test]
async fn no_token_is_left_anywhere_after_a_run_at_trace_level() {
    let collector = Collector::start().await;
    let mut run = Run { house: house_with(&collector).await, tokens: BTreeSet::new() };
    scenes::play(&mut run).await;
    run.gather().await;
    let sweep = Sweep::new(&run.tokens);
    assert!(run.tokens.len() > 8, "the run made {} tokens only", run.tokens.len());

    let mut swept = Swept::default();
    let house = &run.house;
    for service in house.lab.services() {
        let pid = service.pid().unwrap().expect("it runs");
        swept.process(&sweep, pid).unwrap();
        assert!(no_core_file(pid), "{} would leave a core file", service.name());
        let metrics = service.metrics().await.unwrap();
        assert!(metrics.contains("perennial_"), "{metrics}");
        swept.look(&sweep, metrics.as_bytes(), &service.metrics_url());
    }
    let events: Api<Event> = Api::all(house.lab.seed().client());
    let events = events.list(&ListParams::default()).await.unwrap();
    swept.look(&sweep, serde_json::to_string(&events.items).unwrap().as_bytes(), "Events");
    answers::look(house, &sweep, &mut swept).await;
    // Ended in order, so that the last lines and spans are there too.
    for service in house.lab.services() {
        service.stop().await.unwrap();
    }
    let spans = collector.dump();
    assert!(SERVICES.iter().all(|service| spans.contains(service)), "spans of all three");
    swept.look(&sweep, spans.as_bytes(), "spans");
    swept.folder(&sweep, house.lab.dir().root(), &SPARED).unwrap();
    scenes::all_happened(house);
    spared_places_hold_what_is_searched_for(house, &sweep);

    let (places, tokens) = (swept.places, run.tokens.len());
    println!("{tokens} tokens, searched for in {} bytes of {places} places", swept.bytes);
    let told: Vec<String> = swept.findings.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "tokens were left behind:\n{}", told.join("\n"));
    run.house.end().await;
}

/// What finds nothing must be able to find: the very files that are spared show it.
fn spared_places_hold_what_is_searched_for(house: &House, sweep: &Sweep) {
    for service in ["token-issuer", "secret-writer"] {
        let found = sweep.look(&std::fs::read(house.lab.dir().token(service)).unwrap(), service);
        assert!(found.iter().any(|found| found.what == What::Jwt), "{found:?}");
        assert!(found.iter().any(|found| found.what == What::Signature), "{found:?}");
    }
}

fn no_core_file(pid: i32) -> bool {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    core.split_whitespace().skip(4).take(2).all(|limit| limit == "0")
}

/// A house, and every token that was seen in it.
pub(crate) struct Run {
    pub(crate) house: House,
    pub(crate) tokens: BTreeSet<String>,
}

impl Run {
    /// Takes down the tokens that exist now.
    pub(crate) async fn gather(&mut self) {
        let secrets: Api<Secret> = Api::all(self.house.lab.seed().client());
        let secrets = secrets.list(&ListParams::default()).await.unwrap();
        self.tokens.extend(secrets.items.iter().filter_map(token));
        for service in ["token-issuer", "secret-writer"] {
            let path = self.house.lab.dir().token(service);
            self.tokens.insert(std::fs::read_to_string(path).unwrap());
        }
    }
}

async fn house_with(collector: &Collector) -> House {
    let everything = "trace,kube_client=trace,kube_client::client=trace,h2=trace,hyper=trace";
    let flags = vec![format!("--log-level={everything}"), collector.flag()];
    let options = Options {
        issuer_args: flags.clone(),
        writer_args: flags.clone(),
        scheduler_args: [flags, vec!["--renewal-basis=8s".to_owned()]].concat(),
        ..Options::default()
    };
    House { lab: Lab::start(options).await.unwrap() }
}
