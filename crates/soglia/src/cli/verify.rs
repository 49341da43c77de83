//! `soglia verify`: runs a program under both sources and compares.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use soglia::{
    launch::{Ended, Launch},
    model::Model,
    text,
    verify::{self, Comparison, ProgramRun},
};
use soglia_core::trace::{
    life,
    reader::Reader,
    writer::{self, Options},
};

use super::{
    options::{Verify, VerifyFormat},
    pipes::{Input, Output},
    start::{Ready, check_weaving, nothing_recorded},
};

/// Runs the program two or three times and says whether the sources agree. Returns the exit code.
pub fn verify(options: &Verify) -> anyhow::Result<i32> {
    let ready = Ready::find(&options.command)?;
    check_weaving()?;
    let input = Input::of_this_process();
    let mut lab = Lab {
        options,
        ready,
        input,
        runs: Vec::new(),
    };
    let mut reference = vec![lab.run("transitions", !options.quiet)?];
    let woven = lab.run("woven", false)?;
    let mut verdict = verify::compare(&reference, &woven, lab.runs.clone());
    while verdict.is_in_doubt() && reference.len() < options.runs as usize {
        reference.push(lab.run("transitions", false)?);
        verdict = verify::compare(&reference, &woven, lab.runs.clone());
    }
    if verdict.output == "differs" {
        let [precompiled, compiled] = [lab.run_alone(true)?, lab.run_alone(false)?];
        verdict.weigh(&precompiled, &compiled);
    }
    if let Some(why) = lab.input.cut() {
        verdict.remarks.push(why);
    }
    print(options, &verdict)?;
    Ok(i32::from(!verdict.agree))
}

struct Lab<'a> {
    options: &'a Verify,
    ready: Ready<'a>,
    input: Input,
    runs: Vec<ProgramRun>,
}

impl Lab<'_> {
    /// Runs the program once under the engine.
    fn run(&mut self, source: &'static str, pass_on: bool) -> anyhow::Result<Model> {
        let (file, path) = recording()?;
        let launch = self
            .ready
            .launch(&file, &path, source, &self.options.watched)?
            .env("SOGLIA_CALLERS", "1");
        let (run, child) = self.start(launch, source, pass_on)?;
        let (exit_code, signal) = (run.exit_code, run.signal);
        self.runs.push(run);
        let reader = Reader::open(&path)?;
        if !reader.is_claimed() {
            let error = nothing_recorded(&self.options.command, reader.note());
            return Err(error.context(format!("under --source {source}")));
        }
        if reader.pid() == child {
            writer::conclude(&file, exit_code.ok_or_else(|| signal.unwrap_or_default()))?;
        }
        let mut model = Model::of(&Reader::open(&path)?, false);
        let away = reader.turned_away();
        if away > 0 {
            model.remarks.push(format!(
                "{} that the program started under {source} not compared",
                if away == 1 {
                    "a .NET process".to_owned()
                } else {
                    format!("{away} .NET processes")
                }
            ));
        }
        Ok(model)
    }

    /// Runs the program once without the engine.
    fn run_alone(&mut self, precompiled: bool) -> anyhow::Result<ProgramRun> {
        let launch = self.ready.launch_alone()?;
        let launch = if precompiled {
            launch
        } else {
            launch.env("DOTNET_ReadyToRun", "0")
        };
        Ok(self.start(launch, "none", false)?.0)
    }

    /// What came of a run, and which process it was.
    fn start(
        &mut self,
        launch: Launch,
        source: &'static str,
        pass_on: bool,
    ) -> anyhow::Result<(ProgramRun, u32)> {
        let launch = launch
            .stdin(self.input.for_a_run()?)
            .stdout(Output::pipe())
            .stderr(Output::error(pass_on));
        let mut running = launch.spawn()?;
        let child = running.pid();
        self.input.feed(running.stdin.take());
        let output = Output::read(running.stdout.take(), pass_on);
        let (ended, asked) = running
            .wait_asked(|| {})
            .context("cannot wait for the program")?;
        let wrote = output.finish();
        if let Some(signal) = asked {
            anyhow::bail!("interrupted by {}", text::signal_name(signal));
        }
        let (exit_code, signal) = match ended {
            Ended::Exited(code) => (Some(code), None),
            Ended::Killed(signal) => (None, Some(signal)),
        };
        let run = ProgramRun {
            source,
            exit_code,
            signal,
            output_bytes: wrote.bytes,
            digest: wrote.digest(),
            beginning: wrote.beginning,
        };
        Ok((run, child))
    }
}

fn recording() -> anyhow::Result<(File, PathBuf)> {
    let with = Options {
        slow_ns: 0,
        ..Options::default()
    };
    let made = writer::create_unnamed(&with).context("cannot make a recording in memory")?;
    // We see the end: the engine needs to do nothing for that.
    life::begin_signing(&made.0).context("cannot write the recording")?;
    Ok(made)
}

fn print(options: &Verify, verdict: &Comparison) -> io::Result<()> {
    let mut out = BufWriter::new(anstream::stderr().lock());
    match options.format {
        VerifyFormat::Text => {
            if !options.quiet {
                writeln!(out)?;
            }
            text::comparison(verdict, &mut out)?;
        }
        VerifyFormat::Json => {
            serde_json::to_writer_pretty(&mut out, verdict)?;
            writeln!(out)?;
        }
    }
    out.flush()
}
