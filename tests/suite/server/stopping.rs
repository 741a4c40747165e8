//! Whoever asks how a server is, is told the same.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{House, SOON};

#[tokio::test]
async fn a_server_that_stops_says_so_everywhere() {
    let house = House::open(&["--drain-delay", "20s"]).await;
    let session = house.session().await;
    assert_eq!(session.call("health_check", json!({})).await["structuredContent"]["health"]["status"], "healthy");
    house.server.sigterm();
    let deadline = Instant::now() + SOON;
    while house.request("GET /readyz", &[], "").await.status != 503 {
        assert!(Instant::now() < deadline, "it does not stop");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.request("GET /readyz", &[], "").await.text(), "draining\n");
    let health = house.request("GET /health", &[], "").await;
    let report: Value = health.json();
    assert_eq!((health.status, &report["health"]["status"]), (503, &json!("draining")), "{report}");
    // At once, though its last status is younger than a second.
    assert_eq!(session.call("health_check", json!({})).await["structuredContent"]["health"]["status"], "degraded");
    assert_eq!(house.request("GET /healthz", &[], "").await.status, 200);
}
