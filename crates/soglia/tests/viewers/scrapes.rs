//! Debian's Prometheus asks `soglia run --metrics`, and answers queries.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use soglia_testing::needs::{Outcome, Unmet};

use crate::support::scrape::{ask, get};
use crate::support::{Served, Space, text, until};

/// A command of Debian's package.
fn command(name: &str) -> Result<PathBuf, Unmet> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&folders).map(|folder| folder.join(name));
    let found = found.find(|path| path.is_file());
    found.ok_or_else(|| {
        Unmet::new(format!(
            "{name} is not installed (Debian: apt-get install --no-install-recommends prometheus)"
        ))
    })
}

/// `served.dll`, and its endpoint.
fn served(space: &Space) -> (Served<'_>, SocketAddr) {
    let mut command = space.run("-q -o a.soglia --times exact --metrics 0", "served.dll", "");
    let mut served = Served::start_command(space, &mut command);
    let line = served.error_line();
    let at = line.split("//").nth(1).unwrap();
    let at = at.strip_suffix("/metrics").unwrap().parse().unwrap();
    (served, at)
}

/// Names, units and texts are as Prometheus wants them.
pub fn promtool_finds_nothing_wrong() -> Outcome {
    let promtool = command("promtool")?;
    let space = Space::new();
    let (mut served, at) = served(&space);
    served.stop();
    let body = get(at, "/metrics", "text/plain").body;
    served.go();
    served.end();
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{body}");
    Ok(())
}

/// A running Prometheus.
struct Prometheus {
    process: std::process::Child,
    at: SocketAddr,
}

impl Prometheus {
    fn start(space: &Space, target: SocketAddr) -> Result<Self, Unmet> {
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\n\
             scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(space.path("prometheus.yml"), config).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let mut start = space.command(command("prometheus")?);
        let process = start
            .current_dir(space.path(""))
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={at}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Ok(Self { process, at })
    }

    /// The rows of an answer: labels and value.
    fn query(&self, query: &str) -> Option<Vec<(BTreeMap<String, String>, f64)>> {
        std::net::TcpStream::connect(self.at).ok()?;
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = ask(
            self.at,
            &format!("GET /api/v1/query?query={escaped} HTTP/1.0\r\n\r\n"),
        );
        if answer.status == 503 {
            // It has just begun.
            return None;
        }
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer["status"], "success");
        let rows = answer["data"]["result"].as_array().unwrap().iter();
        let row = |row: &Value| {
            let labels = serde_json::from_value(row["metric"].clone()).unwrap();
            (labels, row["value"][1].as_str().unwrap().parse().unwrap())
        };
        Some(rows.map(row).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn prometheus_answers_with_the_figures_of_the_report() -> Outcome {
    command("prometheus")?;
    let space = Space::new();
    let (mut served, at) = served(&space);
    let prometheus = Prometheus::start(&space, at)?;
    served.stop();
    let report = space.recording("a.soglia").json("");
    let mut expected: BTreeMap<[String; 2], f64> = BTreeMap::new();
    for row in report["targets"].as_array().unwrap() {
        if let (Some(library), Some(entry)) = (row["library"].as_str(), row["entry"].as_str()) {
            let key = [
                format!("{library}!{entry}"),
                row["direction"].as_str().unwrap().to_owned(),
            ];
            *expected.entry(key).or_default() += row["calls"].as_u64().unwrap() as f64;
        }
    }
    let query = "sum by (target, direction) (soglia_native_calls_total{target=~\".+!.+\"})";
    until("Prometheus to have the figures", || {
        let rows = prometheus.query(query)?.into_iter();
        let rows = rows.map(|(labels, value)| {
            (
                ["target", "direction"].map(|label| labels[label].clone()),
                value,
            )
        });
        (rows.collect::<BTreeMap<_, _>>() == expected).then_some(())
    });
    // The type of the scrape was negotiated.
    let up = prometheus.query("up{job='shop'}").unwrap();
    assert_eq!(up[0].1, 1.0);
    let document = include_str!("../../../../docs/metrics.md");
    let lines = document.split("```promql\n").nth(1).unwrap();
    let lines = lines.split("```").next().unwrap().lines();
    let queries: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    assert_eq!(queries.len(), 5);
    for query in queries {
        prometheus.query(query).unwrap();
    }
    let quantile = "histogram_quantile(0.5, sum by (le) (soglia_native_duration_seconds_bucket))";
    let median = prometheus.query(quantile).unwrap()[0].1;
    assert!(median > 0.0 && median < 10.0, "{median}");
    served.go();
    served.end();
    until("Prometheus to miss it", || {
        (prometheus.query("up{job='shop'}")?[0].1 == 0.0).then_some(())
    });
    Ok(())
}
