//! Where to send, and what the variables of OpenTelemetry say about it.

use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue, Uri};

use crate::dotnet::Lookup;

/// What stands for the endpoints of the environment.
const ENVIRONMENT: &str = "env";
/// Where a collector listens by default.
const USUAL: &str = "http://localhost:4318";

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Something else than a URL.
    #[error(
        "{name} is {given:?}, which is not the URL of a collector: expected one such as {USUAL}"
    )]
    Url {
        /// Who says so.
        name: String,
        /// What it says.
        given: String,
    },
    /// A URL of HTTPS.
    #[error(
        "{name} is {given:?}, and soglia has no TLS: send to a collector near by, such as {USUAL}, \
         and have it pass on by https"
    )]
    Tls {
        /// Who says so.
        name: String,
        /// What it says.
        given: String,
    },
    /// The path of one signal in place of the base.
    #[error("{name} is {given:?}: leave out the end, {signal}, which soglia appends")]
    Signal {
        /// Who says so.
        name: String,
        /// What it says.
        given: String,
        /// The path of the signal.
        signal: &'static str,
    },
    /// Another protocol.
    #[error(
        "{name} is {given:?}, and soglia speaks http/protobuf only: give its endpoint by --otlp, \
         such as {USUAL}"
    )]
    Protocol {
        /// The variable.
        name: String,
        /// What it says.
        given: String,
    },
    /// A variable that cannot be read.
    #[error("{name} is {given:?}, and should be {expected}")]
    Variable {
        /// The variable.
        name: String,
        /// What it says.
        given: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// Where one signal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The whole URL.
    pub url: String,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
}

/// How to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where metrics go.
    pub metrics: Destination,
    /// Where spans go.
    pub traces: Destination,
    /// The time between two exports of metrics.
    pub every: Duration,
    /// The time between two exports of spans.
    pub delay: Duration,
    /// The most spans of a request.
    pub batch: usize,
    /// What the environment says of the resource.
    pub attributes: Vec<(String, String)>,
    /// Distinguishes this run from others.
    pub instance: String,
}

impl Settings {
    /// Reads the value of `--otlp`: a URL, or `env` for the endpoints that variables name.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(given: &str, variables: Lookup<'_>) -> Result<Self, SettingsError> {
        let env = Environment(variables);
        let ms = |name: &str, usual: u64| env.number(name, usual).map(Duration::from_millis);
        Ok(Self {
            metrics: destination(given, &env, "METRICS", "/v1/metrics")?,
            traces: destination(given, &env, "TRACES", "/v1/traces")?,
            every: ms("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            delay: ms("OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            batch: usize::try_from(env.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?)
                .unwrap_or(usize::MAX),
            attributes: attributes(&env)?,
            instance: instance(),
        })
    }
}

/// A number that other runs do not have, as the kernel makes them.
fn instance() -> String {
    let made = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    made.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Variables that are set and not empty.
struct Environment<'a>(Lookup<'a>);

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.to_string_lossy().trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// The variable of one signal, or else that of all.
    fn of_signal(&self, signal: &str, rest: &str) -> Option<(String, String)> {
        let names = [
            format!("OTEL_EXPORTER_OTLP_{signal}_{rest}"),
            format!("OTEL_EXPORTER_OTLP_{rest}"),
        ];
        let mut found = names.into_iter();
        found.find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn number(&self, name: &str, usual: u64) -> Result<u64, SettingsError> {
        match self.get(name) {
            Some(given) => number(name, given),
            None => Ok(usual),
        }
    }
}

fn number(name: &str, given: String) -> Result<u64, SettingsError> {
    let parsed = given.parse().ok().filter(|number| *number > 0);
    parsed.ok_or_else(|| SettingsError::Variable {
        name: name.to_owned(),
        given,
        expected: "a whole number above 0",
    })
}

fn destination(
    given: &str,
    env: &Environment<'_>,
    signal: &str,
    path: &'static str,
) -> Result<Destination, SettingsError> {
    let url = if given == ENVIRONMENT {
        if let Some((name, given)) = env.of_signal(signal, "PROTOCOL")
            && given != "http/protobuf"
        {
            return Err(SettingsError::Protocol { name, given });
        }
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        match env.get(&own) {
            // That of one signal is taken as it is.
            Some(url) => checked(&own, &url, "")?,
            None => {
                let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
                let base = env.get(name).unwrap_or_else(|| USUAL.to_owned());
                checked(name, &base, path)?
            }
        }
    } else {
        checked("--otlp", given, path)?
    };
    let timeout = match env.of_signal(signal, "TIMEOUT") {
        Some((name, given)) => number(&name, given)?,
        None => 10_000,
    };
    let headers = match env.of_signal(signal, "HEADERS") {
        Some((name, given)) => headers(name, given)?,
        None => Vec::new(),
    };
    Ok(Destination {
        url,
        headers,
        timeout: Duration::from_millis(timeout),
    })
}

/// A URL with the path of a signal behind its own.
fn checked(name: &str, given: &str, path: &'static str) -> Result<String, SettingsError> {
    let (name, text) = (name.to_owned(), given.to_owned());
    let parsed = given.parse::<Uri>().ok();
    let parts = parsed.as_ref().map(|uri| (uri.scheme_str(), uri.host()));
    match parts {
        Some((Some("https"), Some(_))) => return Err(SettingsError::Tls { name, given: text }),
        Some((Some("http"), Some(host))) if !host.is_empty() => {}
        _ => return Err(SettingsError::Url { name, given: text }),
    }
    let base = given.trim_end_matches('/');
    if path.is_empty() {
        return Ok(given.to_owned());
    }
    let signal = ["/v1/metrics", "/v1/traces"].into_iter();
    if let Some(signal) = { signal }.find(|signal| base.ends_with(signal)) {
        return Err(SettingsError::Signal {
            name,
            given: text,
            signal,
        });
    }
    if given.contains(['?', '#']) {
        return Err(SettingsError::Url { name, given: text });
    }
    Ok(format!("{base}{path}"))
}

/// Names and values, as `a=b,c=d%20e`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (decoded(name.trim())?, decoded(value.trim())?);
        (!name.is_empty()).then_some((name, value))
    };
    parts.map(pair).collect()
}

/// A text without its percent signs.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        (rest, _) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                (after, bytes.push(u8::from_str_radix(digits, 16).ok()?))
            }
            (b'%', _) => return None,
            (other, after) => (after, bytes.push(*other)),
        };
    }
    String::from_utf8(bytes).ok()
}

fn headers(name: String, given: String) -> Result<Vec<(String, String)>, SettingsError> {
    let valid = |(name, value): &(String, String)| {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
    };
    let found = pairs(&given).filter(|pairs| pairs.iter().all(valid));
    found.ok_or_else(|| SettingsError::Variable {
        name,
        // They may be secrets.
        given: "...".to_owned(),
        expected: "headers such as name=value,name2=value2",
    })
}

/// The attributes of the environment, of which `service.name` has a variable of its own.
fn attributes(env: &Environment<'_>) -> Result<Vec<(String, String)>, SettingsError> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let mut found = match env.get(name) {
        Some(given) => pairs(&given).ok_or_else(|| SettingsError::Variable {
            name: name.to_owned(),
            given,
            expected: "attributes such as name=value,name2=value2",
        })?,
        None => Vec::new(),
    };
    if let Some(service) = env.get("OTEL_SERVICE_NAME") {
        found.retain(|(name, _)| name != "service.name");
        found.push(("service.name".to_owned(), service));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, ffi::OsString};

    use super::*;

    fn read(given: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        let lookup = |name: &str| variables.get(name).map(OsString::from);
        Settings::read(given, &lookup).map_err(|error| error.to_string())
    }

    fn urls(given: &str, variables: &[(&str, &str)]) -> [String; 2] {
        let settings = read(given, variables).unwrap();
        [settings.metrics.url, settings.traces.url]
    }

    #[test]
    fn the_paths_of_signals_are_appended_to_a_base() {
        let usual = ["http://h:4318/v1/metrics", "http://h:4318/v1/traces"];
        assert_eq!(urls("http://h:4318", &[]), usual);
        assert_eq!(urls("http://h:4318/", &[]), usual);
        assert_eq!(
            urls("http://h/api/otlp/", &[])[0],
            "http://h/api/otlp/v1/metrics"
        );
        // The command line comes first.
        let other = [("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://other/m")];
        assert_eq!(urls("http://h:4318", &other), usual);
    }

    #[test]
    fn variables_name_the_endpoints() {
        let local = "http://localhost:4318/v1/traces";
        assert_eq!(urls("env", &[])[1], local);
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/x");
        let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:2/as/is/");
        assert_eq!(
            urls("env", &[base, own]),
            ["http://m:2/as/is/", "http://c:1/x/v1/traces"]
        );
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert!(read("env", &[grpc]).unwrap_err().contains("http/protobuf"));
        assert!(read("http://h:4318", &[grpc]).is_ok());
    }

    #[test]
    fn what_cannot_be_sent_to_is_said() {
        for (given, said) in [
            ("https://h", "no TLS"),
            ("h:4318", "not the URL"),
            ("http://", "not the URL"),
            ("http://h?x=1", "not the URL"),
            ("http://h/v1/traces", "leave out the end, /v1/traces"),
        ] {
            let error = read(given, &[]).unwrap_err();
            assert!(error.contains(said), "{given}: {error}");
        }
    }

    #[test]
    fn headers_and_attributes_are_decoded() {
        let settings = read(
            "http://h",
            &[
                (
                    "OTEL_EXPORTER_OTLP_HEADERS",
                    "a=1, authorization=Bearer%20x%3D",
                ),
                ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
                ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,host.name=m%201"),
                ("OTEL_SERVICE_NAME", "shop"),
            ],
        );
        let settings = settings.unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expected = [pair("a", "1"), pair("authorization", "Bearer x=")];
        assert_eq!(settings.metrics.headers, expected);
        assert_eq!(settings.traces.headers, [pair("b", "2")]);
        assert_eq!(settings.metrics.timeout, Duration::from_millis(1500));
        assert_eq!(settings.every, Duration::from_millis(250));
        let expected = [pair("host.name", "m 1"), pair("service.name", "shop")];
        assert_eq!(settings.attributes, expected);
        assert_eq!(settings.instance.len(), 36);
    }

    #[test]
    fn a_broken_variable_is_named_and_a_secret_is_not() {
        let error = read("http://h", &[("OTEL_METRIC_EXPORT_INTERVAL", "1s")]).unwrap_err();
        assert!(error.contains("OTEL_METRIC_EXPORT_INTERVAL"), "{error}");
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "key: s3cret");
        let error = read("http://h", &[headers]).unwrap_err();
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert!(read("http://h", &[("OTEL_RESOURCE_ATTRIBUTES", "a=%zz")]).is_err());
    }
}
