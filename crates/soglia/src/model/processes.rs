//! The processes of a report.

use super::{
    process::{FIRST, ProcessRow},
    whole::Model,
};

impl ProcessRow {
    /// The row of the one process of a report.
    pub(super) fn of(model: &Model, pid: u32) -> Self {
        let native = model.tasks.iter().filter_map(|task| task.unmanaged_ns);
        Self {
            process: FIRST,
            pid,
            program: model.program.clone(),
            command_line: model.command_line.clone(),
            runtime: model.runtime.clone(),
            ended: model.ended,
            exit_code: model.exit_code,
            signal: model.signal,
            crash: model.crash.clone(),
            time: model.time.clone(),
            wall: model.wall,
            duration_ns: model.duration_ns,
            duration_at_least: model.duration_at_least,
            level: model.level,
            times: model.times,
            source: model.source,
            scope: model.scope,
            calls: model.crossings.leave,
            callbacks: model.crossings.reverse_enter,
            native_ns: native.reduce(u64::saturating_add),
            threads: model.tasks.len() as u64 + model.left_out.tasks,
            max_depth: model.tasks.iter().filter_map(|task| task.max_depth).max(),
            dropped: model.dropped,
            recording: None,
        }
    }
}

impl Model {
    /// Whether it is the report of several processes.
    pub const fn is_merged(&self) -> bool {
        self.processes.len() > 1
    }

    /// Names the recording of the one process of a report.
    #[must_use]
    pub fn recorded_in(mut self, recording: Option<String>) -> Self {
        if let ([process], Some(_)) = (&mut self.processes[..], &recording) {
            process.recording = recording;
        }
        self
    }

    /// Calls this for the number of a process, wherever a row has one.
    pub(super) fn each_process(&mut self, mut change: impl FnMut(&mut u32)) {
        self.processes
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.findings
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.tasks
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.slow
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.overdue
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.open
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.failures
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        self.denied
            .iter_mut()
            .for_each(|row| change(&mut row.process));
        let targets = self.targets.iter_mut();
        targets
            .flat_map(|row| &mut row.processes)
            .for_each(|row| change(&mut row.process));
    }
}
