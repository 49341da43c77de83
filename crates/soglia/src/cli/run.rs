//! `soglia run`.

use std::{
    fs,
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use soglia::{
    dotnet::process_env,
    launch::{self, Ended, Followed, Guard, KernelLog, Others, Take, Watching},
    model::{Merger, Model},
};
use soglia_core::{
    admission::Bound,
    trace::{life, reader::Reader},
};

use super::{
    complain::complain,
    deadline::Live,
    finish::{Seen, finish},
    options::{Run, Source},
    place::{Place, file_for},
    policy::Told,
    shared::ReportFormat,
    start::{Ready, check_weaving},
    watch::Watch,
};

/// The tool signs so often in a second.
const TURNS_A_SECOND: u32 = 10;

/// Runs a program under the engine, and ends as the program ended.
///
/// # Errors
/// If the program cannot be started, or cannot be waited for.
pub fn run(options: &Run) -> anyhow::Result<i32> {
    // What the run holds, such as a temporary folder, is dropped before the tool ends.
    record(options)?.propagate()
}

/// Runs a program under the engine, reports on it, and returns how it ended.
fn record(options: &Run) -> anyhow::Result<Ended> {
    if options.recorded.counts() && options.source == Source::Transitions {
        anyhow::bail!(
            "--counts needs --source woven: the runtime's own callbacks cost the same, timed or not"
        );
    }
    options.recorded.check().map_err(anyhow::Error::msg)?;
    if options.recorded.asks_for_samples() && options.source == Source::Transitions {
        anyhow::bail!(
            "--times sampled needs --source woven: the runtime's own callbacks cost more"
        );
    }
    if options.shown.format == ReportFormat::Html {
        anyhow::bail!("--format html is for `soglia report`: here, --page FILE writes the page");
    }
    let Told {
        policy,
        deadlines,
        kills,
    } = options.policy.read(options.source != Source::Transitions)?;
    if options.recorded.counts() && deadlines.is_some() {
        anyhow::bail!(
            "deadlines cannot go with --counts: the start of a call that is only counted is not known"
        );
    }
    let arguments = options.recorded.arguments.read()?;
    let ready = Ready::find(&options.command)?;
    if options.slots.is_some() && options.source == Source::Transitions {
        anyhow::bail!(
            "--slots needs --source woven: in the runtime's own callbacks no task may wait"
        );
    }
    // Without wrappers nothing would be denied. Then the program must not run at all.
    let source = if policy.is_some() || options.recorded.counts() || options.slots.is_some() {
        Source::Woven
    } else {
        options.source
    };
    if source == Source::Woven {
        check_weaving()?;
    }
    // These must hold: if they would not, the program must not run.
    let required = policy.is_some() || options.slots.is_some() || kills;
    if required {
        ready.check_holding()?;
    }
    let slots = options
        .slots
        .map(|slots| bound(slots, options.slot_timeout));
    let slots = slots.transpose()?;
    let metrics = options.metrics.prepare(&process_env)?;
    let output = options.recorded.output.as_deref();
    let output = file_for(output, &ready.name(), options.keep)?;
    let place = Place::make(
        output.as_deref(),
        options.follow,
        &options.recorded.options(source == Source::Transitions),
    )?;
    let (file, path) = (&place.file, &place.path);
    life::begin_signing(file).context("cannot write the recording")?;
    let mut watch = Watch::of(file, path)?;
    let mut launch = ready.launch(file, path, source.name(), &options.watched)?;
    if options.follow {
        launch = launch.env("SOGLIA_FOLLOW", "1");
    }
    if let Some(policy) = &policy {
        launch = launch.env("SOGLIA_POLICY", policy);
    }
    if let Some(deadlines) = &deadlines {
        launch = launch.env("SOGLIA_DEADLINES", deadlines);
    }
    let stuck = options.recorded.stuck.asked(options.recorded.counts());
    if let Some(stuck) = &stuck {
        launch = launch.env("SOGLIA_STUCK", stuck.to_string());
    }
    if let Some(arguments) = &arguments {
        launch = launch.env("SOGLIA_ARGUMENTS", arguments);
    }
    if let Some(slots) = &slots {
        launch = launch.env("SOGLIA_SLOTS", slots);
    }
    if required {
        launch = launch.env("SOGLIA_REQUIRED", "1");
    }
    let mut kernel = KernelLog::from_now();
    // Without it, less is known of how other processes end.
    let followed = options
        .follow
        .then(|| Followed::beside(path).ok())
        .flatten();
    let running = match launch.spawn() {
        Ok(running) => running,
        Err(error) => {
            place.discard();
            return Err(error.into());
        }
    };
    let child = running.pid();
    let merger = Arc::new(Mutex::new(Merger::default()));
    let followed = followed.and_then(|followed| {
        let taken = place.kept().is_none().then(|| taken(&merger));
        followed.watch(file, child, taken).ok()
    });
    let guard = required.then(|| guard(child, path)).transpose()?;
    // In other formats, standard error holds the report alone.
    let for_people = options.shown.format == ReportFormat::Text;
    let mut metrics = metrics.start(&place.own(), for_people || options.quiet);
    let stuck = stuck.filter(|_| options.recorded.stuck.is_said(options.quiet));
    let mut live = match (deadlines, stuck) {
        _ if !for_people => None,
        (Some(_), _) => Some(Live::new(path, Duration::ZERO)),
        (None, stuck) => stuck.map(|stuck| Live::new(path, stuck.after)),
    };
    // With --follow, they record.
    let mut others = (!options.follow && !options.quiet).then(|| Others::below(child));
    let mut turns = 0;
    let ended = running
        .wait(|| {
            // Without this sign, less is known of the end if the tool is killed too.
            let _ = life::sign(file, child);
            watch.look();
            if let Some(others) = &mut others {
                others.look(|| life::claimed_by(file).map_or(0, |(pid, _)| pid));
            }
            turns += 1;
            if let Some(live) = live.as_mut().filter(|_| turns % TURNS_A_SECOND == 0) {
                live.tell();
            }
            metrics.look();
        })
        .context("cannot wait for the program")?;
    metrics.end();
    if let Some(live) = &mut live {
        live.tell();
    }
    followed.into_iter().for_each(Watching::finish);
    if let Some(loose) = guard.and_then(Guard::finish) {
        metrics.finish();
        place.discard();
        anyhow::bail!(
            "process {} ran .NET without the engine, so nothing that was asked for would have held, and it was ended: {}",
            loose.pid,
            loose.why
        );
    }
    let unwatched = others.map_or(0, |others| others.count());
    let seen = |ended| Seen {
        child,
        ended,
        unwatched,
    };
    // A recording that was cut has no report.
    if watch.end()
        && let Err(error) = finish(options, &place, seen(ended), &merger, &mut kernel)
    {
        complain(&format!("{error:#}"));
    }
    metrics.finish();
    Ok(ended)
}

/// Reads recordings of processes that have ended, and removes them.
fn taken(merger: &Arc<Mutex<Merger>>) -> Take {
    let merger = Arc::clone(merger);
    Box::new(move |path| {
        let reader = Reader::open(path).ok().filter(Reader::is_claimed);
        // What stays there is read at the end.
        if let Some(reader) = reader
            && fs::remove_file(path).is_ok()
        {
            let mut merger = merger.lock().unwrap_or_else(PoisonError::into_inner);
            merger.add(Model::of(&reader, false), None);
        }
    })
}

/// The bound as the engine reads it.
fn bound(slots: NonZeroU16, limit: Option<Duration>) -> anyhow::Result<String> {
    let bound = Bound { slots, limit };
    let text = bound.to_string();
    if text.parse() != Ok(bound) {
        anyhow::bail!("--slot-timeout is too long: give a shorter one, or none to wait for ever");
    }
    Ok(text)
}

/// Looks after a program that must not run without the engine. If that is impossible, ends the
/// program.
fn guard(pid: u32, recording: &Path) -> anyhow::Result<Guard> {
    let look = || {
        let reader = Reader::open(recording)?;
        Ok(Guard::over(pid, move || reader.is_claimed())?)
    };
    let guard: anyhow::Result<Guard> = look();
    guard
        .inspect_err(|_| launch::end(pid))
        .context("cannot look after the program")
}
