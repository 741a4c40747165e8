//! Who is refused at the door is counted by reason, and told once a minute, address and reason.

use std::time::Duration;

use super::access::with_tokens;
use super::{House, LATEST, initialize};

const JSON: (&str, &str) = ("content-type", "application/json");

impl House {
    /// The requests that `/metrics` says were refused for that reason.
    async fn refused(&self, reason: &str) -> u64 {
        let metrics = self.request("GET /metrics", &[("authorization", "Bearer a")], "").await.text();
        let start = format!("archonctl_requests_refused_total{{reason=\"{reason}\"}} ");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
        count.unwrap_or_else(|| panic!("no {start}in {metrics}"))
    }

    /// The lines of the log about those who were refused.
    fn told(&self) -> Vec<String> {
        self.server.lines().iter().filter(|line| line.contains("refused: ")).cloned().collect()
    }
}

#[tokio::test]
async fn who_is_refused_is_counted_and_told_once() {
    let house = with_tokens(&[]).await;
    let (body, wrong) = (initialize(LATEST), [("authorization", "Bearer guess"), JSON]);
    for _ in 0..5 {
        assert_eq!(house.request("POST /mcp", &wrong, &body).await.status, 401);
    }
    let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    for (line, headers, status) in [
        ("DELETE /mcp", &two[..], 401),
        ("GET /metrics", &[], 401),
        ("POST /mcp", &[JSON], 401),
        ("GET /mcp", &[("host", "evil.example"), ("authorization", "Bearer a")], 403),
        ("POST /mcp", &[("origin", "https://evil.example"), JSON], 403),
        ("POST /mcp", &[("origin", "null"), JSON], 403),
        // Whoever asks how a server is, is no stranger, and the page at / is open.
        ("GET /healthz", &[("host", "evil.example")], 200),
        ("GET /", &[], 200),
    ] {
        assert_eq!(house.request(line, headers, &body).await.status, status, "{line} {headers:?}");
    }
    for (reason, count) in [("wrong_token", 6), ("no_token", 2), ("foreign_host", 1), ("foreign_origin", 2)] {
        assert_eq!(house.refused(reason).await, count, "{reason}");
    }
    let told = house.told();
    assert_eq!(told.len(), 4, "one for each reason: {told:?}");
    assert!(told[0].contains("127.0.0.1") && told[0].contains("token is not known") && !told[0].contains("guess"));
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_line() {
    let house = with_tokens(&["--trust-proxy"]).await;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.1", "10.0.0.1, 2001:db8::7", "\"quoted\""] {
        let headers = [("x-forwarded-for", address), ("authorization", "Bearer guess"), JSON];
        assert_eq!(house.request("POST /mcp", &headers, &initialize(LATEST)).await.status, 401);
    }
    house.server.wait_for_line("\"from\":\"127.0.0.1\"", Duration::from_secs(10)).await;
    let told = house.told();
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, address) in told.iter().zip(["192.0.2.1", "192.0.2.2", "2001:db8::", "127.0.0.1"]) {
        assert!(line.contains(address), "{line}");
    }
}
