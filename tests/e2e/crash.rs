//! Processes that end at a point of their work, as a test chooses.

use std::path::PathBuf;

use perennial_lab::{
    poll::{Look, until},
    service::SERVICES,
};
use perennial_process::crash;

use crate::house::{House, MOMENT};

impl House {
    /// Starts each service that has one of these points again with all of its own, none of them
    /// armed.
    pub(crate) async fn give_crash_points(&self, points: &[&str]) {
        let dir = self.lab.dir();
        for name in SERVICES {
            let own = points.iter().filter(|point| service_of(point) == name);
            let own: Vec<_> = own
                .map(|point| format!("{point}=return({})", self.armed(point).display()))
                .collect();
            if own.is_empty() {
                continue;
            }
            let line = format!("FAILPOINTS={}\n", own.join(";"));
            std::fs::write(dir.env_file(name), line).unwrap();
            self.lab.service(name).restart().await.unwrap();
            let log = std::fs::read_to_string(dir.log(name)).unwrap();
            assert!(
                log.contains(crash::ARMED),
                "{name} was built without crash points: run `make e2e`, or build the binaries with \
                 --features perennial-process/failpoints"
            );
        }
    }

    /// Has a service crash at this point, once, because of what `cause` does; back when it is ready
    /// again.
    pub(crate) async fn crash_at(&self, point: &str, cause: impl AsyncFnOnce()) {
        let service = self.lab.service(service_of(point));
        let (file, ends) = (self.armed(point), service.process().exits().count);
        std::fs::write(&file, "").unwrap();
        cause().await;
        let look = async || {
            let exits = service.process().exits();
            let crashed = exits.count > ends && !file.exists();
            let state =
                format!("{} ended {} times, last {}", service.name(), exits.count, exits.last);
            Ok(if crashed { Look::Done(exits) } else { Look::Waiting(state) })
        };
        let exits = until(&format!("a crash at {point}"), MOMENT, look).await.unwrap();
        assert!(exits.last.contains("signal: 6"), "{point}: {}", exits.last);
        service.wait_ready().await.unwrap();
        assert_eq!(service.process().exits().count, ends + 1, "{point}: one crash and no more");
    }

    /// While this file is there, the point crashes.
    fn armed(&self, point: &str) -> PathBuf {
        self.lab.dir().root().join("run").join(format!("{point}.armed"))
    }
}

fn service_of(point: &str) -> &str {
    point.split_once('.').unwrap().0
}
