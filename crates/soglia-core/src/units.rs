//! Durations and sizes as users write them: `100ms`, `64MiB`. The tool's options take more forms;
//! these are for variables, which the engine reads.

use std::time::Duration;

/// A number and its unit, between which spaces may be. The number has no sign or exponent.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// A duration: a number and `ns`, `us`, `ms`, `s`, `m` or `h`. `None` also if it is zero or very
/// long.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let nanos = (number * seconds * 1e9).round();
    // Over five centuries, and what `u64` holds.
    (nanos >= 1.0 && nanos < 2_f64.powi(64)).then(|| Duration::from_nanos(nanos as u64))
}

/// A number of bytes: a number and `KiB`, `MiB` or `GiB`, or `kB`, `MB` or `GB` for powers of 1000.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    let bytes = (number * bytes).round();
    (bytes < 2_f64.powi(64)).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, nanos) in [
            ("5ms", 5_000_000),
            ("1.5s", 1_500_000_000),
            (" 250 us ", 250_000),
            ("250µs", 250_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1ns", 1),
        ] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "5",
            "ms",
            "0s",
            "-1s",
            "1e3s",
            "5 parsecs",
            "1.2.3s",
            "9999999999h",
            "0.1ns",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("2 GiB", 2 << 30),
            ("1.5KiB", 1536),
            ("64MB", 64_000_000),
            ("0kB", 0),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "64", "MiB", "-1MiB", "1TiB", "99999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
