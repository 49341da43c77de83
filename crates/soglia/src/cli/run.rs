//! `soglia run`.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Write},
    num::NonZeroU16,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use soglia::{
    launch::{self, Ended, Guard},
    model::Model,
    text,
};
use soglia_core::{
    admission::Bound,
    trace::{
        ending, life,
        reader::Reader,
        writer::{self, Level, Options},
    },
};

use super::{
    complain::complain,
    deadline::Live,
    options::{Record, Run, RunFormat, Source},
    policy::Told,
    start::{Ready, check_weaving, nothing_recorded},
    watch::Watch,
};

/// Every how many signs of life the recording is looked into for calls that miss their deadlines: once a second.
const TURNS_A_LOOK: u32 = 10;

/// Runs a program under the engine. Returns only if that was impossible: otherwise ends as the program ended.
pub fn run(options: &Run) -> anyhow::Result<i32> {
    if options.counts && options.source == Source::Transitions {
        anyhow::bail!(
            "--counts needs --source woven: the runtime's own callbacks cost the same, timed or not"
        );
    }
    let Told {
        policy,
        deadlines,
        kills,
    } = options.policy.read(options.source != Source::Transitions)?;
    if options.counts && deadlines.is_some() {
        anyhow::bail!(
            "deadlines cannot go with --counts: of calls that are only counted nobody knows since when they are open"
        );
    }
    let ready = Ready::find(&options.command)?;
    if options.slots.is_some() && options.source == Source::Transitions {
        anyhow::bail!(
            "--slots needs --source woven: in the runtime's own callbacks no task may wait"
        );
    }
    // Where calls cannot be woven around, nothing would be refused: then the program must not run at all.
    let source = if policy.is_some() || options.counts || options.slots.is_some() {
        Source::Woven
    } else {
        options.source
    };
    if source == Source::Woven {
        check_weaving()?;
    }
    // What must hold: without it, the program must not run.
    let required = policy.is_some() || options.slots.is_some() || kills;
    if required {
        ready.check_holding()?;
    }
    let slots = options
        .slots
        .map(|slots| bound(slots, options.slot_timeout));
    let slots = slots.transpose()?;
    let (file, path) = recording(options)?;
    life::begin_signing(&file).context("cannot write the recording")?;
    let mut watch = Watch::of(&file, &path)?;
    let mut launch = ready.launch(&file, &path, source.name(), &options.watched)?;
    if options.follow {
        launch = launch.env("SOGLIA_FOLLOW", "1");
    }
    if let Some(policy) = &policy {
        launch = launch.env("SOGLIA_POLICY", policy);
    }
    if let Some(deadlines) = &deadlines {
        launch = launch.env("SOGLIA_DEADLINES", deadlines);
    }
    if let Some(slots) = &slots {
        launch = launch.env("SOGLIA_SLOTS", slots);
    }
    if required {
        launch = launch.env("SOGLIA_REQUIRED", "1");
    }
    let running = match launch.spawn() {
        Ok(running) => running,
        Err(error) => {
            if options.output.is_some() {
                // Nothing was recorded into it; that it stays would only surprise.
                let _ = fs::remove_file(&path);
            }
            return Err(error.into());
        }
    };
    let child = running.pid();
    let guard = required.then(|| guard(child, &path)).transpose()?;
    // Whoever wants JSON gets that and nothing else.
    let mut live =
        (deadlines.is_some() && options.format == RunFormat::Text).then(|| Live::new(&path));
    let mut turns = 0;
    let ended = running
        .wait(|| {
            // Without it, less is known of the end if nobody sees it.
            let _ = life::sign(&file, child);
            watch.look();
            turns += 1;
            if let Some(live) = live.as_mut().filter(|_| turns % TURNS_A_LOOK == 0) {
                live.tell();
            }
        })
        .context("cannot wait for the program")?;
    if let Some(live) = &mut live {
        live.tell();
    }
    if let Some(loose) = guard.and_then(Guard::finish) {
        if options.output.is_some() {
            fs::remove_file(&path).ok();
        }
        anyhow::bail!(
            "process {} ran .NET without the engine, so nothing that was asked for would have held, and it was ended: {}",
            loose.pid,
            loose.why
        );
    }
    // Nothing can be told of what is gone.
    if !watch.end() {
        ended.propagate();
    }
    if let Err(error) = finish(options, &file, &path, child, ended) {
        complain(&format!("{error:#}"));
    }
    ended.propagate()
}

/// As the engine reads it.
fn bound(slots: NonZeroU16, limit: Option<Duration>) -> anyhow::Result<String> {
    let bound = Bound { slots, limit };
    let text = bound.to_string();
    if text.parse() != Ok(bound) {
        anyhow::bail!("--slot-timeout is too long: give a shorter one, or none to wait for ever");
    }
    Ok(text)
}

/// Looks after a program that must not run without the engine. One that nobody can look after is ended.
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

/// A new recording, and the path by which the engine opens it.
fn recording(options: &Run) -> anyhow::Result<(File, PathBuf)> {
    let with = Options {
        level: match options.record {
            _ if options.counts => Level::Counts,
            Record::Events => Level::Events,
            Record::Summary => Level::Summary,
        },
        max_bytes: options.max_size,
        slow_ns: options.slow.as_nanos().try_into().unwrap_or(u64::MAX),
    };
    let Some(output) = &options.output else {
        return writer::create_unnamed(&with).context("cannot make a recording in memory");
    };
    let refuse = || {
        format!(
            "cannot write the recording {}: give another -o FILE",
            output.display()
        )
    };
    let file = writer::create(output, &with).with_context(refuse)?;
    // The program may change its directory before the engine starts in it.
    Ok((file, std::path::absolute(output).with_context(refuse)?))
}

/// Writes down how the program ended, and gives the account.
fn finish(options: &Run, file: &File, path: &Path, child: u32, ended: Ended) -> anyhow::Result<()> {
    // By that path there may be another file by now.
    let own = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // It is as large as it may become, and most of it is a hole.
    trim(file, &own)?;
    let reader = Reader::open(&own)?;
    let is_there = options.output.is_none() || is_at(path, file);
    if !reader.is_claimed() {
        if !is_there {
            anyhow::bail!(
                "nothing was recorded: somebody has moved {} or put another file in its place",
                path.display()
            );
        }
        if options.output.is_some() {
            fs::remove_file(path).ok();
        }
        return Err(nothing_recorded(&options.command, reader.note()));
    }
    // A script may have started the runtime in a child of its own, whose end nobody here has seen.
    if reader.pid() == child {
        writer::conclude(
            file,
            match ended {
                Ended::Exited(code) => Ok(code),
                Ended::Killed(signal) => Err(signal),
            },
        )?;
    }
    if !is_there {
        complain(&format!(
            "somebody has moved {} or put another file in its place",
            path.display()
        ));
    }
    let reader = Reader::open(&own)?;
    let mut model = Model::of(&reader, false);
    reader.check_whole()?;
    if options.quiet {
        // Whoever reads no account should still know why it was slow.
        if let Some(because) = &model.fallback {
            complain(&format!("recorded with --source transitions: {because}"));
        }
        return Ok(());
    }
    let stderr = io::stderr();
    let color = if stderr.is_terminal() {
        anstream::ColorChoice::Auto
    } else {
        anstream::ColorChoice::Never
    };
    let mut out = io::BufWriter::new(anstream::AutoStream::new(stderr.lock(), color));
    match options.format {
        RunFormat::Text => {
            text::sort(&mut model, options.shown.sort);
            writeln!(out)?;
            text::report(&model, options.shown.shown(), &mut out)?;
            kept(options, &reader, &mut out)?;
        }
        RunFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &model)?;
            writeln!(out)?;
        }
    }
    Ok(out.flush()?)
}

/// Whether this file lies there.
fn is_at(path: &Path, file: &File) -> bool {
    let of = |about: fs::Metadata| (about.dev(), about.ino());
    let (there, own) = (fs::symlink_metadata(path).map(of), file.metadata().map(of));
    there.is_ok_and(|there| own.is_ok_and(|own| own == there))
}

/// Cuts a recording behind what was written, unless its process still writes.
fn trim(file: &File, path: &Path) -> anyhow::Result<()> {
    if Reader::open_partial(path)?.ended() != ending::Ended::Running {
        writer::trim(file)?;
    }
    Ok(())
}

/// Says which files there are now.
fn kept(options: &Run, reader: &Reader, out: &mut impl Write) -> io::Result<()> {
    let away = reader.turned_away();
    if away > 0 && !options.follow {
        let (processes, were) = if away == 1 {
            ("process", "was")
        } else {
            ("processes", "were")
        };
        writeln!(
            out,
            "{away} more .NET {processes} ran and {were} not recorded (--follow records them)"
        )?;
    }
    let Some(output) = &options.output else {
        if options.record == Record::Events {
            writeln!(out, "the events were not kept: -o FILE keeps them")?;
        }
        return Ok(());
    };
    writeln!(
        out,
        "\nrecording: {} (soglia report, soglia events)",
        text::plain_path(output)
    )?;
    if options.follow {
        let mut prefix = output.file_name().unwrap_or_default().to_owned();
        prefix.push(".");
        let folder = output
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name();
            let pid = name
                .as_encoded_bytes()
                .strip_prefix(prefix.as_encoded_bytes());
            let path = folder.join(&name);
            // Others are of an earlier run.
            let is_ours = || {
                let other = Reader::open_partial(&path);
                other.is_ok_and(|other| other.wall_ns() >= reader.wall_ns())
            };
            let is_pid = |pid: &[u8]| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit);
            if pid.is_some_and(is_pid) && is_ours() {
                // One that cannot be cut now still has all that was recorded.
                let opened = File::options().read(true).write(true).open(&path);
                let _ = opened.and_then(|file| trim(&file, &path).map_err(io::Error::other));
                writeln!(out, "           {}", text::plain_path(&path))?;
            }
        }
    }
    Ok(())
}
