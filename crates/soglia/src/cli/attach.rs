//! `soglia attach`.

pub mod options;

use std::{
    env,
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsRawFd,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use soglia::{
    attach::{self, Let, Session, Target, Wanted},
    dotnet::process_env,
    launch,
    model::{Model, program_name},
    running,
    text::{self, Screen},
};
use soglia_core::{
    control::facts,
    trace::{life, reader::Reader},
};

use options::Attach;

use super::{
    complain::{CANNOT, complain},
    deadline::Live,
    interrupts::Interrupts,
    metrics::Prepared,
    page,
    place::{Place, file_for, trim},
    policy::Told,
    recorded::Record,
    report,
    screen::screen,
    shared::ReportFormat,
    watch::Watch,
};

/// How often the program and its recording are looked at.
const TICK: Duration = life::SIGN_EVERY;
/// How many ticks there are between two looks at calls that last too long.
const TICKS_A_SECOND: u32 = 10;
/// An attach that takes longer says that it goes on.
const LONG: Duration = Duration::from_secs(1);

/// Attaches to a process, records it, and reports what it did.
///
/// # Errors
/// If the process cannot be attached to.
pub fn run(options: &Attach) -> anyhow::Result<i32> {
    let target = Target::of(options.pid)?;
    if options.end {
        end(&target)?;
        complain(&format!("let go of process {}", options.pid));
        return Ok(0);
    }
    if options.shown.format == ReportFormat::Html {
        anyhow::bail!("--format html is for `soglia report`: here, --page FILE writes the page");
    }
    let settings = settings(options)?;
    let tool = env::current_exe().context("cannot find the file of this tool")?;
    let engine = launch::engine_for(&tool, &process_env, target.c_library())?;
    let interrupts = Interrupts::catch().context("cannot catch Ctrl-C")?;
    let recorded = &options.recorded;
    // The process may send metrics and spans of its own: these have the same resource.
    let of_process = |name: &str| {
        let is_resource = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"].contains(&name);
        is_resource.then(|| target.variable(name).map(Into::into))?
    };
    let variables = |name: &str| process_env(name).or_else(|| of_process(name));
    let metrics = options.metrics.prepare(&variables)?;
    let output = file_for(recorded.output.as_deref(), &target.name(), None)?;
    let place = Place::make(output.as_deref(), false, &recorded.options(false))?;
    let wanted = Wanted {
        engine: &engine,
        file: &place.file,
        recording: &place.path,
        settings: &settings,
    };
    // What is kept has no tool that signs for the process.
    if !options.keep {
        life::begin_signing(&place.file).context("cannot write the recording")?;
    }
    let mut patience = Patience::new(&target, "attaching to");
    let begun = Session::begin(target, &wanted, &mut || {
        patience.look();
        !interrupts.came()
    });
    let session = match begun {
        Ok(session) => session,
        Err(error) => {
            place.discard();
            return Err(error.into());
        }
    };
    record(options, &place, session, metrics, &interrupts)
}

/// Ends what `--keep` has left, and cuts its recording behind what was written.
fn end(target: &Target) -> anyhow::Result<()> {
    let recording = running::find(target.pid).ok();
    // By its path it may not be found later.
    let recording =
        recording.and_then(|path| File::options().read(true).write(true).open(path).ok());
    attach::session::end_kept(target)?;
    if let Some(file) = recording {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // It is complete, only longer than it need be.
        let _ = trim(&file, Path::new(&path));
    }
    Ok(())
}

/// The engine's settings.
fn settings(options: &Attach) -> anyhow::Result<Vec<(&'static str, String)>> {
    let Told {
        policy, deadlines, ..
    } = options.policy.read(true)?;
    options.recorded.check().map_err(anyhow::Error::msg)?;
    let counts = options.recorded.counts();
    if counts && deadlines.is_some() {
        anyhow::bail!(
            "deadlines cannot go with --counts: the start of a call that is only counted is not known"
        );
    }
    let stuck = options.recorded.stuck.asked(counts);
    let mut settings = vec![("SOGLIA_SCOPE", options.watched.scope().to_owned())];
    settings.extend(policy.map(|policy| ("SOGLIA_POLICY", policy)));
    settings.extend(deadlines.map(|deadlines| ("SOGLIA_DEADLINES", deadlines)));
    let arguments = options.recorded.arguments.read()?;
    settings.extend(arguments.map(|arguments| ("SOGLIA_ARGUMENTS", arguments)));
    settings.extend(stuck.map(|stuck| ("SOGLIA_STUCK", stuck.to_string())));
    Ok(settings)
}

/// Waits while the process records, has it let go, and prints the report.
fn record(
    options: &Attach,
    place: &Place,
    mut session: Session,
    metrics: Prepared,
    interrupts: &Interrupts,
) -> anyhow::Result<i32> {
    let target = session.target().clone();
    let until = options
        .time
        .and_then(|time| Instant::now().checked_add(time));
    complain(&attached(options, place, &session));
    let own = place.own();
    let mut metrics = metrics.start(&own, true);
    let mut watch = Watch::of(&place.file, &place.path)?;
    let said = options.recorded.stuck.is_said(options.quiet);
    let mut live = Live::new(&own, Duration::ZERO);
    let mut tell = || {
        if said {
            live.tell();
        }
    };
    let mut turns = 0;
    let ended = loop {
        let left = until.map_or(TICK, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left.is_zero() || interrupts.came() {
            break None;
        }
        if let Some(ended) = session.wait(left.min(TICK)) {
            break Some(ended);
        }
        if !options.keep {
            let _ = life::sign(&place.file, target.pid);
        }
        watch.look();
        metrics.look();
        turns += 1;
        if turns % TICKS_A_SECOND == 0 {
            tell();
        }
    };
    let mut patience = Patience::new(&target, "letting go of");
    let ended = ended.map_or_else(|| session.end(options.keep, &mut || patience.look()), Ok);
    tell();
    metrics.end();
    let mut code = 0;
    match ended {
        Ok(Let::Go) => {}
        Ok(Let::Ended) => complain(&format!("process {} has ended", target.pid)),
        Ok(Let::Lost) => {
            code = CANNOT;
            complain(&format!(
                "the engine in process {} ended the recording by itself; the process runs",
                target.pid
            ));
        }
        Err(error) => {
            code = CANNOT;
            complain(&format!("{error:#}"));
        }
    }
    // A recording that was cut has no report.
    if watch.end() {
        finish(options, place, &target)?;
    }
    metrics.finish();
    Ok(code)
}

/// One line about what was attached to.
fn attached(options: &Attach, place: &Place, session: &Session) -> String {
    let target = session.target();
    let said = session.facts();
    let number = |name| said.fact(name).and_then(|value| value.parse::<u64>().ok());
    let reader = Reader::open_partial(&place.own());
    let name = reader.as_ref().map(program_name).unwrap_or_default();
    let name = if name.is_empty() { target.name() } else { name };
    let mut line = format!("attached to {} ({name})", target.pid);
    if let Some(callers) = number(facts::CALLERS) {
        let what = if callers == 1 { "caller" } else { "callers" };
        line += &format!(": {} {what} hooked", text::count(callers));
        if let (Some(asked), Some(live), Ok(reader)) =
            (number(facts::ASKED), number(facts::LIVE), &reader)
        {
            let took = reader
                .wall_ns_at(live)
                .saturating_sub(reader.wall_ns_at(asked));
            line += &format!(" in {} ms", took.div_ceil(1_000_000));
        }
    }
    line + match options.time {
        Some(_) => "; Ctrl-C ends it early",
        None => "; Ctrl-C ends it",
    }
}

/// Completes the recording, and prints the report.
fn finish(options: &Attach, place: &Place, target: &Target) -> anyhow::Result<()> {
    let own = place.own();
    trim(&place.file, &own)?;
    let reader = Reader::open(&own)?;
    if !reader.is_claimed() {
        place.discard();
        let note = reader.note().unwrap_or("the engine did not begin".into());
        anyhow::bail!("nothing was recorded: {note}");
    }
    if !place.is_there() {
        complain(&format!(
            "{} was moved, or another file is in its place",
            place.path.display()
        ));
    }
    let mut model = Model::of(&reader, false);
    reader.check_whole()?;
    if let Some(page) = &options.page
        && let Err(error) = page::page(Some(&reader), model.clone(), Some(page))
    {
        // The report is printed even if the page cannot be written.
        complain(&format!("{error:#}"));
    }
    if options.quiet {
        return Ok(());
    }
    if options.shown.format != ReportFormat::Text {
        let out = io::stdout().lock();
        return report::write(&mut model, &options.shown, Screen::default(), out);
    }
    let mut out = anstream::stdout().lock();
    let screen = screen(options.shown.wide, io::stdout());
    report::write(&mut model, &options.shown, screen, &mut out)?;
    kept(options, place, target, &mut out)?;
    Ok(out.flush()?)
}

/// Says which files there are now.
fn kept(options: &Attach, place: &Place, target: &Target, out: &mut impl Write) -> io::Result<()> {
    match place.kept() {
        Some(output) => {
            let output = text::plain_path(output);
            writeln!(out, "\nrecording: {output} (soglia report, soglia events)")?;
        }
        None if options.recorded.record == Record::Events => {
            writeln!(out, "the events were not kept: -o FILE keeps them")?;
        }
        None => {}
    }
    if let Some(page) = &options.page {
        writeln!(out, "page: {}", text::plain_path(page))?;
    }
    if options.keep && target.lives() {
        let pid = target.pid;
        writeln!(
            out,
            "process {pid} records on: `soglia attach {pid} --end` ends it"
        )?;
    }
    Ok(())
}

/// Says that something takes long.
struct Patience {
    began: Instant,
    target: Target,
    doing: &'static str,
    said: bool,
}

impl Patience {
    fn new(target: &Target, doing: &'static str) -> Self {
        Self {
            began: Instant::now(),
            target: target.clone(),
            doing,
            said: false,
        }
    }

    /// On a terminal, says that it goes on; elsewhere only if it cannot.
    fn look(&mut self) {
        if self.said || self.began.elapsed() < LONG {
            return;
        }
        self.said = true;
        let doing = format!("{} process {}", self.doing, self.target.pid);
        match self.target.halt() {
            Some(why) => complain(&format!("{doing} has to wait: {why}")),
            None if io::stderr().is_terminal() => {
                complain(&format!("{doing}: this may take some seconds"));
            }
            None => {}
        }
    }
}
