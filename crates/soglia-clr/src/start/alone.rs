//! What the environment asks for where no tool has made the recording: the engine makes it.
//!
//! docs/environment.md describes the variables. A value that is not as it says there is an error:
//! the process then says so in one line, and runs unrecorded.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroUsize,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::Duration,
};

use soglia_core::{
    deadline::Stuck,
    trace::{
        ending::Ended,
        folder,
        identity::Identity,
        reader::Reader,
        writer::{self, Level, MIN_BYTES, Options, Sampling},
    },
    units,
};

use crate::{
    settings::{NotText, Settings},
    variables,
};

/// Calls of this length and more are slow, without a variable that says otherwise.
const SLOW: Duration = Duration::from_millis(100);
/// Calls that are open for so long are stuck, without a variable that says otherwise.
const STUCK: Duration = Duration::from_secs(10);
/// Two ticks of the fastest clock. What is to be found by sample lasts longer.
const SHORTEST_SLOW: Duration = Duration::from_micros(200);

/// A recording that the engine has made, and what goes into it.
pub struct Alone {
    /// Where it is.
    pub path: PathBuf,
    /// Which file that is.
    pub identity: Identity,
    /// Where crossings are to come from.
    pub source: String,
    /// From when on a call is stuck.
    pub stuck: Option<Stuck>,
}

impl Alone {
    /// Makes the recording that the environment asks for. `None`: nothing is asked for, or the
    /// recording is there, and waits for its process.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn make(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(pattern) = settings.path(variables::RECORDING) else {
            return Ok(None);
        };
        if settings.has(variables::IDENTITY) || settings.has(variables::REQUIRED) {
            return Ok(None);
        }
        let path = expand(pattern.as_os_str(), &Facts::of_this_process())?;
        let Some(path) = free(path, settings.has(variables::FOLLOW))? else {
            return Ok(None);
        };
        let source = word(
            settings,
            variables::SOURCE,
            &["auto", "woven", "transitions"],
        )?;
        let source = source.unwrap_or_else(|| "auto".to_owned());
        word(
            settings,
            variables::SCOPE,
            &["user", "framework", "corelib"],
        )?;
        let options = options(settings, &source)?;
        let stuck = stuck(settings, options.level)?;
        if let Some(keep) = keep(settings)? {
            // What cannot be removed stays: one recording too many does less harm than none.
            let _ = folder::keep(path.parent().unwrap_or(&path), keep.get() - 1);
        }
        let cannot = |why| format!("cannot make the recording {}: {why}", path.display());
        let made = writer::create(&path, &options).map_err(cannot)?;
        let identity = Identity::of(&made).map_err(cannot)?;
        Ok(Some(Self {
            path,
            identity,
            source,
            stuck,
        }))
    }
}

/// Whether the environment alone asks for a recording. To be called before the engine removes the
/// variables.
pub fn is_asked() -> bool {
    let settings = Settings::Environment;
    settings.has(variables::RECORDING) && !settings.has(variables::IDENTITY)
}

/// Where a new recording may be made. `None`: there is one that waits for its process.
///
/// With `follow`, a process whose recording would be that of another one has its own beside it.
///
/// # Errors
/// Without `follow`, if it would be.
fn free(path: PathBuf, follow: bool) -> Result<Option<PathBuf>, String> {
    let Ok(there) = Reader::open(&path) else {
        return Ok(Some(path));
    };
    if !there.is_claimed() {
        return Ok(None);
    }
    match there.ended() {
        Ended::Running if follow => {
            let mut name = path.into_os_string();
            name.push(format!(".{}", std::process::id()));
            Ok(Some(name.into()))
        }
        Ended::Running => Err(format!(
            "its recording {} is that of another process: put %p into {}",
            path.display(),
            variables::RECORDING
        )),
        _ => Ok(Some(path)),
    }
}

/// What a pattern of names can have in it.
struct Facts {
    pid: u32,
    host: OsString,
    now: u64,
}

impl Facts {
    fn of_this_process() -> Self {
        let host = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim_ascii().to_owned();
        Self {
            pid: std::process::id(),
            host: OsString::from_vec(host),
            now: soglia_core::time::wall_ns() / 1_000_000_000,
        }
    }
}

/// The path that a pattern stands for: `%p` is the number of the process, `%h` the name of the
/// machine, `%t` the time in seconds since 1970, and `%%` is `%`.
fn expand(pattern: &OsStr, facts: &Facts) -> Result<PathBuf, String> {
    let mut path = Vec::new();
    let mut bytes = pattern.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            path.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'p') => path.extend(facts.pid.to_string().bytes()),
            Some(b'h') => path.extend(facts.host.as_bytes()),
            Some(b't') => path.extend(facts.now.to_string().bytes()),
            Some(b'%') => path.push(b'%'),
            _ => {
                return Err(is(
                    variables::RECORDING,
                    &pattern.to_string_lossy(),
                    "after % expected p, h, t or another %",
                ));
            }
        }
    }
    match Path::new(OsStr::from_bytes(&path)).is_absolute() {
        true => Ok(OsString::from_vec(path).into()),
        false => Err(is(
            variables::RECORDING,
            &pattern.to_string_lossy(),
            "expected an absolute path",
        )),
    }
}

/// How the recording is made.
fn options(settings: &Settings, source: &str) -> Result<Options, String> {
    let slow = match value(settings, variables::SLOW)?.as_deref() {
        None => SLOW,
        Some("off") => Duration::ZERO,
        Some(text) => units::duration(text).ok_or_else(|| {
            is(
                variables::SLOW,
                text,
                "expected a duration such as 5ms, or off",
            )
        })?,
    };
    let max_bytes = match value(settings, variables::MAX_SIZE)?.as_deref() {
        None => Options::default().max_bytes,
        Some(text) => units::size(text)
            .filter(|size| *size >= MIN_BYTES)
            .ok_or_else(|| {
                is(
                    variables::MAX_SIZE,
                    text,
                    "expected a size such as 64MiB, at least 1MiB",
                )
            })?,
    };
    let record = word(settings, variables::RECORD, &["summary", "events"])?;
    let events = record.as_deref() == Some("events");
    let is_short = !slow.is_zero() && slow < SHORTEST_SLOW;
    let times = word(settings, variables::TIMES, &["sampled", "exact", "off"])?;
    let times = times.as_deref();
    let clash = |with: &str, why: &str| {
        let times = times.unwrap_or_default();
        Err(format!(
            "{}={times} does not go with {with}: {why}",
            variables::TIMES
        ))
    };
    match times {
        Some("sampled" | "off") if events => {
            return clash("SOGLIA_RECORD=events", "each call is timed then");
        }
        Some("sampled" | "off") if source == "transitions" => {
            return clash(
                "SOGLIA_SOURCE=transitions",
                "the runtime's callbacks cost more",
            );
        }
        Some("sampled") if is_short => {
            return clash(
                "a SOGLIA_SLOW below 200us",
                "a sample would miss such calls",
            );
        }
        _ => {}
    }
    let samples = match times {
        Some(times) => times == "sampled",
        None => !events && !is_short && source != "transitions",
    };
    let mut sampling = Sampling::default();
    if !slow.is_zero() {
        let most = (slow / 2).as_nanos().try_into().unwrap_or(u32::MAX);
        sampling.clock_ns = sampling.clock_ns.min(most);
    }
    Ok(Options {
        level: match times {
            Some("off") => Level::Counts,
            _ if events => Level::Events,
            _ => Level::Summary,
        },
        max_bytes,
        slow_ns: slow.as_nanos().try_into().unwrap_or(u64::MAX),
        sampling: samples.then_some(sampling),
    })
}

/// From when on a call is stuck. Where calls are only counted, it is not known when they began.
fn stuck(settings: &Settings, level: Level) -> Result<Option<Stuck>, String> {
    let text = value(settings, variables::STUCK)?;
    let after = match text.as_deref() {
        None => Some(STUCK),
        Some("off") => None,
        Some(text) => {
            let after = units::duration(text).filter(|after| *after >= Duration::from_millis(1));
            let wanted = "expected a duration of at least 1ms such as 10s, or off";
            Some(after.ok_or_else(|| is(variables::STUCK, text, wanted))?)
        }
    };
    Ok(after.filter(|_| level != Level::Counts).map(|after| Stuck {
        after,
        text: text.unwrap_or_else(|| format!("{}s", STUCK.as_secs())),
    }))
}

/// How many recordings the folder keeps, with this one.
fn keep(settings: &Settings) -> Result<Option<NonZeroUsize>, String> {
    let text = value(settings, variables::KEEP)?;
    let wanted = "expected a number of recordings, at least 1";
    let parse = |text: String| text.parse().map_err(|_| is(variables::KEEP, &text, wanted));
    text.map(parse).transpose()
}

/// The value, which must be one of these words, if there is one.
fn word(settings: &Settings, name: &str, words: &[&str]) -> Result<Option<String>, String> {
    let value = value(settings, name)?;
    match value {
        Some(value) if !words.contains(&&*value) => {
            let (last, others) = words.split_last().unwrap_or((&"", &[]));
            Err(is(
                name,
                &value,
                &format!("expected {} or {last}", others.join(", ")),
            ))
        }
        value => Ok(value),
    }
}

/// The value, if there is one. An empty one counts as none.
fn value(settings: &Settings, name: &str) -> Result<Option<String>, String> {
    let value = settings.get(name);
    let value = value.map_err(|NotText| format!("{name} is not text"))?;
    Ok(value.filter(|value| !value.is_empty()))
}

fn is(name: &str, value: &str, wanted: &str) -> String {
    format!("{name} is {value}: {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Settings::given(pairs, None)
    }

    fn facts() -> Facts {
        Facts {
            pid: 7,
            host: "web-1".into(),
            now: 1_800_000_000,
        }
    }

    #[test]
    fn a_pattern_has_the_process_the_machine_and_the_time() {
        let path = |pattern: &str| expand(pattern.as_ref(), &facts());
        assert_eq!(path("/r/%p.soglia"), Ok("/r/7.soglia".into()));
        assert_eq!(path("/r/%h-%t-%p"), Ok("/r/web-1-1800000000-7".into()));
        assert_eq!(path("/r/100%%"), Ok("/r/100%".into()));
        for (pattern, why) in [
            ("/r/%x", "after %"),
            ("/r/%", "after %"),
            ("r/%p", "absolute"),
        ] {
            let said = path(pattern).unwrap_err();
            assert!(said.contains(pattern) && said.contains(why), "{said}");
        }
    }

    #[test]
    fn without_variables_it_records_as_the_tool_does() {
        let options = options(&given(&[]), "auto").unwrap();
        assert_eq!(options.level, Level::Summary);
        assert_eq!((options.slow_ns, options.max_bytes), (100_000_000, 1 << 30));
        assert_eq!(options.sampling, Some(Sampling::default()));
        let stuck = stuck(&given(&[]), Level::Summary).unwrap().unwrap();
        assert_eq!(
            (stuck.after, &*stuck.text),
            (Duration::from_secs(10), "10s")
        );
    }

    #[test]
    fn variables_say_what_the_options_of_the_tool_say() {
        let read = |pairs: &[(&str, &str)], source| options(&given(pairs), source).unwrap();
        let events = read(
            &[("SOGLIA_RECORD", "events"), ("SOGLIA_MAX_SIZE", "64MiB")],
            "auto",
        );
        assert_eq!((events.level, events.max_bytes), (Level::Events, 64 << 20));
        assert_eq!(events.sampling, None);
        let counts = read(&[("SOGLIA_TIMES", "off")], "auto");
        assert_eq!((counts.level, counts.sampling), (Level::Counts, None));
        assert_eq!(read(&[("SOGLIA_TIMES", "exact")], "auto").sampling, None);
        assert_eq!(read(&[], "transitions").sampling, None);
        let slow = read(&[("SOGLIA_SLOW", "1ms")], "auto");
        assert_eq!(slow.slow_ns, 1_000_000);
        assert_eq!(slow.sampling.unwrap().clock_ns, 500_000);
        assert_eq!(read(&[("SOGLIA_SLOW", "50us")], "auto").sampling, None);
        assert_eq!(read(&[("SOGLIA_SLOW", "off")], "auto").slow_ns, 0);
        assert_eq!(read(&[("SOGLIA_SLOW", "")], "auto").slow_ns, 100_000_000);
        assert_eq!(keep(&given(&[])), Ok(None));
        let ten = keep(&given(&[("SOGLIA_KEEP", "10")]));
        assert_eq!(ten, Ok(NonZeroUsize::new(10)));
        let off = given(&[("SOGLIA_STUCK", "off")]);
        assert_eq!(stuck(&off, Level::Summary), Ok(None));
        assert_eq!(stuck(&given(&[]), Level::Counts), Ok(None));
    }

    #[test]
    fn a_bad_value_is_named_with_what_was_expected() {
        for (name, value, wanted) in [
            ("SOGLIA_SLOW", "5 parsecs", "a duration such as 5ms, or off"),
            ("SOGLIA_MAX_SIZE", "64", "a size such as 64MiB"),
            ("SOGLIA_MAX_SIZE", "1KiB", "at least 1MiB"),
            ("SOGLIA_RECORD", "all", "summary or events"),
            ("SOGLIA_TIMES", "some", "sampled, exact or off"),
        ] {
            let said = options(&given(&[(name, value)]), "auto").unwrap_err();
            assert!(said.starts_with(&format!("{name} is {value}: ")), "{said}");
            assert!(said.contains(wanted), "{said}");
        }
        let said = keep(&given(&[("SOGLIA_KEEP", "0")])).unwrap_err();
        assert!(
            said.contains("SOGLIA_KEEP is 0: expected a number"),
            "{said}"
        );
        let said = stuck(&given(&[("SOGLIA_STUCK", "soon")]), Level::Summary).unwrap_err();
        assert!(said.contains("such as 10s"), "{said}");
        for (pairs, source) in [
            (
                &[("SOGLIA_RECORD", "events"), ("SOGLIA_TIMES", "off")][..],
                "auto",
            ),
            (&[("SOGLIA_TIMES", "sampled")], "transitions"),
            (
                &[("SOGLIA_TIMES", "sampled"), ("SOGLIA_SLOW", "1us")],
                "auto",
            ),
        ] {
            let said = options(&given(pairs), source).unwrap_err();
            assert!(said.contains("does not go with"), "{said}");
        }
    }
}
