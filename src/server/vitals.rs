//! What `/metrics` says of the process: which start it is, how the one before ended, and how memory is.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::App;
use super::gauges::{Encoded, NO_LABELS, gauge};
use crate::model::machine::Memory;

/// The process at one moment.
#[derive(Debug)]
pub(super) struct Vitals {
    start_number: i64,
    /// In seconds since 1970.
    started: f64,
    previous_end: &'static str,
    memory: Memory,
}

impl Vitals {
    pub(super) fn now(app: &App) -> Self {
        let sessions = app.engine.sessions();
        let boot = sessions.boot();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact for 285,000 years")]
        let started = boot.started_at.millis() as f64 / 1000.0;
        Self {
            start_number: boot.begun.start_number,
            started,
            previous_end: boot.begun.previous.as_ref().map_or("none", |end| end.cause.as_str()),
            memory: sessions.memory(),
        }
    }
}

impl Collector for Vitals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        let encoder = &mut encoder;
        let which = "Which start this is of the servers of its name, or at its address";
        gauge(encoder, "start_number", which, self.start_number)?;
        let began = "When this server began, in seconds since 1970";
        let mut started = encoder.encode_descriptor("start_time_seconds", began, None, MetricType::Gauge)?;
        ConstGauge::new(self.started).encode(started.encode_family(&NO_LABELS)?)?;
        let how = "1, with how the start before this one ended";
        let mut previous = encoder.encode_descriptor("previous_end", how, None, MetricType::Gauge)?;
        ConstGauge::new(1i64).encode(previous.encode_family(&[("cause", self.previous_end)])?)?;
        let memory = &self.memory;
        let of = [
            ("process_resident_memory_bytes", "Memory of this process", memory.process_bytes),
            ("memory_limit_bytes", "The least memory limit of its control groups", memory.limit_bytes),
            ("memory_used_bytes", "What the control group with that limit uses", memory.used_bytes),
            ("memory_available_bytes", "What the machine can still give", memory.available_bytes),
        ];
        for (name, help, bytes) in of {
            if let Some(bytes) = bytes {
                gauge(encoder, name, help, i64::try_from(bytes).unwrap_or(i64::MAX))?;
            }
        }
        gauge(encoder, "memory_short", "Whether memory is short", i64::from(memory.is_short()))
    }
}
