//! Counters of a running server, for Prometheus.
//!
//! The names are a contract with dashboards and alerts. Label values come from this program and never from a client, so
//! that a client cannot create new series.

use std::fmt::Error;
use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::platform;

/// The media type of [`Metrics::render`] (OpenMetrics 1.0, section "Protocol Negotiation").
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration buckets, in seconds: from a cached answer to a long build.
const BUCKETS: [f64; 10] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tool: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SessionLabels {
    transport: &'static str,
}

/// All counters of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    durations: Family<CallLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    sessions: Family<SessionLabels, Gauge>,
    resident: Gauge,
    running: TaskTracker,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            refusals: Family::default(),
            calls: Family::default(),
            durations: Family::new_with_constructor(buckets),
            in_flight: Gauge::default(),
            sessions: Family::default(),
            resident: Gauge::default(),
            running: TaskTracker::new(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        self.registry.register_with_unit(
            "process_resident_memory",
            "Resident memory of the server itself",
            Unit::Bytes,
            self.resident.clone(),
        );
        let registry = self.registry.sub_registry_with_prefix("pantheros");
        registry.register("build", "The program", build);
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_refused",
            "Requests refused before they reached a tool",
            self.refusals.clone(),
        );
        registry.register("http_sessions", "Sessions open", self.sessions.clone());
        registry.register("tool_calls", "Tool calls that ended", self.calls.clone());
        registry.register("tool_calls_in_flight", "Tool calls running or waiting", self.in_flight.clone());
        registry.register_with_unit(
            "tool_call_duration",
            "How long tool calls took",
            Unit::Seconds,
            self.durations.clone(),
        );
    }

    /// Counts an HTTP request that was answered with `status`.
    pub fn count_request(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
    }

    /// Counts an HTTP request that was refused.
    pub fn count_refusal(&self, reason: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// Counts a session as open until the result is dropped.
    #[must_use]
    pub fn start_session(&self, transport: &'static str) -> SessionCount {
        let gauge = self.sessions.get_or_create_owned(&SessionLabels { transport });
        gauge.inc();
        SessionCount(gauge)
    }

    /// Counts a call of a tool as running until [`RunningCall::finish`]. If the result is dropped instead, the call counts as
    /// cancelled.
    pub fn start_call(&self, tool: &'static str) -> RunningCall<'_> {
        RunningCall {
            metrics: self,
            tool,
            outcome: "cancelled",
            started: Instant::now(),
            _token: self.running.token(),
        }
    }

    /// Waits until no call runs. No call may start after this.
    pub async fn wait_for_calls(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// All counters as OpenMetrics text.
    ///
    /// # Errors
    /// The encoder failed; it does not when it writes to a string.
    pub fn render(&self) -> Result<String, Error> {
        let resident = platform::own_pid_in_table().and_then(platform::resident_bytes);
        self.resident.set(resident.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or_default());
        self.in_flight.set(i64::try_from(self.running.len()).unwrap_or(i64::MAX));
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

/// An open session. Dropping this decrements the count.
#[derive(Debug)]
pub struct SessionCount(Gauge);

impl Drop for SessionCount {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A running call. It counts as cancelled if it is dropped without [`RunningCall::finish`].
#[derive(Debug)]
pub struct RunningCall<'a> {
    metrics: &'a Metrics,
    tool: &'static str,
    outcome: &'static str,
    started: Instant,
    _token: TaskTrackerToken,
}

impl RunningCall<'_> {
    /// Counts the call as answered.
    pub fn finish(mut self, failed: bool) {
        self.outcome = if failed { "failed" } else { "ok" };
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        let labels = CallLabels { tool: self.tool, outcome: self.outcome };
        self.metrics.calls.get_or_create(&labels).inc();
        self.metrics.durations.get_or_create(&labels).observe(self.started.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_happened_is_told() {
        let metrics = Metrics::default();
        metrics.count_request("/mcp", 200);
        metrics.count_refusal("origin");
        metrics.start_call("list_hosts").finish(false);
        drop(metrics.start_call("build_host"));
        let running = metrics.start_call("flake_check");
        let session = metrics.start_session("sse");
        let text = metrics.render().unwrap();
        for line in [
            "pantheros_http_requests_total{route=\"/mcp\",status=\"200\"} 1",
            "pantheros_http_refused_total{reason=\"origin\"} 1",
            "pantheros_tool_calls_total{tool=\"list_hosts\",outcome=\"ok\"} 1",
            "pantheros_tool_calls_total{tool=\"build_host\",outcome=\"cancelled\"} 1",
            "pantheros_tool_call_duration_seconds_count{tool=\"list_hosts\",outcome=\"ok\"} 1",
            "pantheros_tool_calls_in_flight 1",
            "pantheros_http_sessions{transport=\"sse\"} 1",
            concat!("pantheros_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|is| is == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop((running, session));
        metrics.wait_for_calls().await;
        assert!(metrics.render().unwrap().contains("pantheros_tool_calls_in_flight 0"));
    }
}
