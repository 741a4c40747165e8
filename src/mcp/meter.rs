//! Counters of handled requests, for `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::model::request::RequestStatus;

/// Counts handled requests by method, tool and status, and how long tools take. Labels are bounded: names that clients
/// make up share one.
#[derive(Debug, Clone)]
pub struct Meter {
    requests: Family<RequestLabels, Counter>,
    latency: Family<ToolLabel, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    tool: Arc<str>,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabel {
    tool: Arc<str>,
}

impl Default for Meter {
    fn default() -> Self {
        // 10 µs to 84 s, each bucket twice the one before: five thousandths of a call's cost and a bound on the answer.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_01, 2.0, 24));
        Self { requests: Family::default(), latency: Family::new_with_constructor(histogram) }
    }
}

impl Meter {
    /// Counts a handled request; `duration` is the tool's.
    pub fn count(&self, method: &'static str, tool: Option<&Arc<str>>, status: RequestStatus, duration: Duration) {
        let labels = RequestLabels { method, tool: tool.cloned().unwrap_or_default(), status: status.as_str() };
        self.requests.get_or_create(&labels).inc();
        if let Some(tool) = tool {
            self.latency.get_or_create(&ToolLabel { tool: tool.clone() }).observe(duration.as_secs_f64());
        }
    }

    /// Puts the counters into a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Handled requests, by method, tool and status", self.requests.clone());
        registry.register("tool_duration_seconds", "How long tools take", self.latency.clone());
    }
}
