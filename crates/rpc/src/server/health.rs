//! gRPC health follows readiness.

use std::convert::Infallible;

use futures::future::pending;
use tokio::sync::watch;
use tonic_health::{ServingStatus, server::HealthReporter};

/// The name that stands for the whole server.
const WHOLE_SERVER: &str = "";

/// Reports readiness until `shutdown`, and from then on that nothing is served.
pub(super) async fn follow(
    reporter: HealthReporter,
    mut ready: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()>,
) -> Infallible {
    let report = async {
        loop {
            let status = match *ready.borrow_and_update() {
                true => ServingStatus::Serving,
                false => ServingStatus::NotServing,
            };
            reporter.set_service_status(WHOLE_SERVER, status).await;
            if ready.changed().await.is_err() {
                return pending::<()>().await; // whoever reported is gone; its last word stands
            }
        }
    };
    tokio::select! {
        () = report => {}
        () = shutdown => {}
    }
    reporter.set_service_status(WHOLE_SERVER, ServingStatus::NotServing).await;
    pending().await
}
