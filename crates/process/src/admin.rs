//! The admin port: `/healthz`, `/readyz` and `/metrics`, plain HTTP, nothing secret.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::{net::TcpListener, time};

use crate::{
    ready::{Missing, Readiness},
    supervise::Shutdown,
};

/// Longest time an answer that is being written when the process stops may still take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin port shows.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Answer of `/readyz`.
    pub readiness: Readiness,
    /// Answer of `/metrics`.
    pub registry: Arc<Registry>,
}

/// Serves the admin port until shutdown is requested, then closes within two seconds. On
/// connections that are still open then, `/healthz` and `/readyz` answer 503.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(listener: TcpListener, admin: Admin, shutdown: Shutdown) -> io::Result<()> {
    let server = axum::serve(listener, routes(admin, shutdown.clone()))
        .with_graceful_shutdown(shutdown.clone().requested_owned());
    let overdue = async {
        shutdown.requested().await;
        time::sleep(CLOSE_TIMEOUT).await;
    };
    tokio::select! {
        served = server.into_future() => served,
        () = overdue => Ok(()),
    }
}

fn routes(admin: Admin, shutdown: Shutdown) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state((admin, shutdown))
}

async fn healthz(State((_, shutdown)): State<(Admin, Shutdown)>) -> impl IntoResponse {
    if shutdown.is_requested() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn readyz(State((admin, shutdown)): State<(Admin, Shutdown)>) -> impl IntoResponse {
    if shutdown.is_requested() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned());
    }
    let missing = admin.readiness.report();
    if missing.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let line = |m: &Missing| format!("{}: {}\n", m.gate, m.reason);
    (StatusCode::SERVICE_UNAVAILABLE, missing.iter().map(line).collect())
}

async fn metrics(State((admin, _)): State<(Admin, Shutdown)>) -> impl IntoResponse {
    let mut page = String::new();
    match text::encode(&mut page, &admin.registry) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::supervise::Supervisor;

    const GRACE: Duration = Duration::from_secs(5);

    async fn answer(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn the_admin_port_tells_health_readiness_and_metrics_until_the_process_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Readiness::new();
        let gate = readiness.gate("shoot status");
        let mut registry = Registry::default();
        let renewals: Counter = Counter::default();
        registry.register("renewals", "Renewals done", renewals.clone());
        renewals.inc();

        let supervisor = Supervisor::new(GRACE);
        let admin = Admin { readiness, registry: Arc::new(registry) };
        let shutdown = supervisor.shutdown();
        supervisor
            .tasks()
            .spawn("admin", async move { Ok(serve(listener, admin, shutdown).await?) });

        let client = async {
            assert!(answer(address, "/healthz").await.starts_with("HTTP/1.1 200"));

            let unready = answer(address, "/readyz").await;
            assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
            assert!(unready.ends_with("\r\n\r\nshoot status: not yet\n"), "{unready}");
            gate.open();
            assert!(answer(address, "/readyz").await.starts_with("HTTP/1.1 200"));

            assert!(answer(address, "/metrics").await.contains("renewals_total 1"));
        };
        supervisor.run_until(client).await.unwrap();
    }
}
