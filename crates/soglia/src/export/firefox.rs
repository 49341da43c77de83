//! Profiles of the Firefox Profiler: samples of what each task was in, and the longest calls as
//! markers.
//!
//! A profile is read as a whole by a browser, so it has a fixed size: samples at equal intervals,
//! chosen so that there are [`SAMPLES`] at most, and [`MARKERS`] markers.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io::{self, Write},
};

use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, MarkerFieldFlags,
    MarkerFieldFormat, MarkerTiming, ProcessHandle, Profile, ReferenceTimestamp, SamplingInterval,
    StackHandle, StaticSchemaMarker, StaticSchemaMarkerField, StringHandle, ThreadHandle,
    Timestamp, WeightType,
};
use soglia_core::{crossing::Side, trace::reader::Reader};

use super::{
    named::Named,
    sink::{Call, Outcome, Sink, TaskInfo},
};
use crate::text;

/// The most samples of all tasks together.
pub const SAMPLES: u64 = 500_000;
/// The most markers.
pub const MARKERS: usize = 20_000;
/// The shortest interval of samples, in nanoseconds.
const SHORTEST: u64 = 1_000;
/// The most stacks, and the most frames of one.
const STACKS: usize = 1 << 19;
const FRAMES: usize = 1 << 10;

/// A call as a marker.
struct Marked {
    name: StringHandle,
    outcome: StringHandle,
    own: u64,
    category: CategoryHandle,
}

impl StaticSchemaMarker for Marked {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = "Call";
    const DESCRIPTION: Option<&'static str> = Some("A call between managed and native code.");
    const CHART_LABEL: Option<&'static str> = Some("{marker.name}");
    const TABLE_LABEL: Option<&'static str> = Some("{marker.data.outcome}");
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        StaticSchemaMarkerField {
            key: "outcome",
            label: "Outcome",
            format: MarkerFieldFormat::String,
            flags: MarkerFieldFlags::SEARCHABLE,
        },
        StaticSchemaMarkerField {
            key: "own",
            label: "Own time",
            format: MarkerFieldFormat::Duration,
            flags: MarkerFieldFlags::empty(),
        },
    ];

    fn name(&self, _: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, _: u32) -> StringHandle {
        self.outcome
    }

    fn number_field_value(&self, _: u32) -> f64 {
        // In milliseconds.
        self.own as f64 / 1e6
    }
}

/// A call that is open.
#[derive(Clone, Copy)]
struct Open {
    target: u32,
    side: Side,
    /// The place of its stack, once a sample has needed it.
    stack: Option<usize>,
}

/// A call that may become a marker, the longest first. The rest of the fields make the order
/// definite.
type Long = Reverse<(u64, u32, u64, u32, u64, usize, bool)>;

/// Makes a profile of calls.
pub struct Firefox<'a, W> {
    out: W,
    named: &'a Named,
    profile: Profile,
    process: ProcessHandle,
    /// Of native functions and of callbacks.
    categories: [CategoryHandle; 2],
    step: u64,
    task: Option<TaskInfo>,
    /// Threads by task, as far as they have calls.
    threads: HashMap<u32, ThreadHandle>,
    thread: Option<ThreadHandle>,
    open: Vec<Open>,
    /// When the next sample is due.
    next: u64,
    /// Samples that may still be added. The times of a recording that no program made may be any.
    left: u64,
    stacks: Vec<StackHandle>,
    /// The stack of a target below another one, on this thread.
    below: HashMap<(Option<usize>, u32), usize>,
    longest: BinaryHeap<Long>,
}

impl<'a, W: Write> Firefox<'a, W> {
    /// An empty profile.
    pub fn new(reader: &Reader, named: &'a Named, out: W) -> Self {
        let start = reader.start_ticks();
        let ns = |ticks: u64| reader.scale().ns(ticks.saturating_sub(start));
        let span = |task: soglia_core::trace::snapshot::TaskSnapshot| {
            let until = task.ended.map_or(named.until, ns);
            until.saturating_sub(ns(task.first))
        };
        let all = reader.each_task().map(span).fold(0, u64::saturating_add);
        let step = all.div_ceil(SAMPLES).max(SHORTEST);
        let wall = named.wall_ns as f64 / 1e6;
        let mut profile = Profile::new(
            &named.program,
            ReferenceTimestamp::from_millis_since_unix_epoch(wall),
            SamplingInterval::from_nanos(step),
        );
        profile.set_symbolicated(true);
        let at = Timestamp::from_nanos_since_reference;
        let process = profile.add_process(&named.program, named.pid, at(0));
        profile.set_process_end_time(process, at(named.until));
        let categories = [
            profile.add_category("Native code", CategoryColor::Blue),
            profile.add_category("Callbacks", CategoryColor::Yellow),
        ];
        Self {
            out,
            named,
            profile,
            process,
            categories,
            step,
            task: None,
            threads: HashMap::new(),
            thread: None,
            open: Vec::new(),
            next: 0,
            left: SAMPLES * 2,
            stacks: Vec::new(),
            below: HashMap::new(),
            longest: BinaryHeap::new(),
        }
    }

    /// The thread of the task, made at its first call.
    fn thread(&mut self, at: u64) -> ThreadHandle {
        if let Some(thread) = self.thread {
            return thread;
        }
        let (began, until, is_main, os_thread, title, number) = match &self.task {
            Some(task) => {
                let is_main = task.kind == "main";
                (
                    task.began,
                    task.until,
                    is_main,
                    task.os_thread,
                    task.title(),
                    task.number,
                )
            }
            None => (at, at, false, 0, String::new(), 0),
        };
        let time = Timestamp::from_nanos_since_reference;
        let thread = self
            .profile
            .add_thread(self.process, os_thread, time(began), is_main);
        self.profile.set_thread_name(thread, &title);
        self.profile.set_thread_end_time(thread, time(until));
        self.profile
            .set_thread_samples_weight_type(thread, WeightType::Samples);
        self.threads.insert(number, thread);
        self.thread = Some(thread);
        self.next = at;
        thread
    }

    /// Adds the samples that are due before this time.
    fn sample(&mut self, until: u64) {
        let thread = self.thread(until);
        if self.next > until || self.left == 0 {
            return;
        }
        let stack = self.stack(thread);
        let time = Timestamp::from_nanos_since_reference;
        if stack.is_none() {
            // Nothing is open: one sample says so.
            self.left -= 1;
            self.profile
                .add_sample(thread, time(self.next), None, CpuDelta::ZERO, 1);
            let steps = (until - self.next) / self.step + 1;
            self.next = self.next.saturating_add(steps.saturating_mul(self.step));
            return;
        }
        while self.next <= until && self.left > 0 {
            self.left -= 1;
            let delta = CpuDelta::from_nanos(self.step);
            self.profile
                .add_sample(thread, time(self.next), stack, delta, 1);
            self.next = self.next.saturating_add(self.step);
        }
    }

    /// The stack of what is open.
    fn stack(&mut self, thread: ThreadHandle) -> Option<StackHandle> {
        let mut parent = None;
        for n in 0..self.open.len().min(FRAMES) {
            let open = self.open[n];
            let stack = open.stack.or_else(|| self.frame(thread, parent, open));
            self.open[n].stack = stack;
            parent = stack;
        }
        parent.map(|parent| self.stacks[parent])
    }

    fn frame(&mut self, thread: ThreadHandle, parent: Option<usize>, open: Open) -> Option<usize> {
        if let Some(known) = self.below.get(&(parent, open.target)) {
            return Some(*known);
        }
        if self.stacks.len() >= STACKS {
            return parent;
        }
        let label = self.label(open.target, open.side);
        let frame = FrameInfo {
            frame: Frame::Label(label),
            category_pair: self.categories[open.side as usize].into(),
            flags: FrameFlags::empty(),
        };
        let frame = self.profile.intern_frame(thread, frame);
        let below = parent.map(|parent| self.stacks[parent]);
        let stack = self.profile.intern_stack(thread, below, frame);
        self.stacks.push(stack);
        self.below
            .insert((parent, open.target), self.stacks.len() - 1);
        Some(self.stacks.len() - 1)
    }

    fn label(&mut self, target: u32, side: Side) -> StringHandle {
        let name = &self.named.target(target).name;
        match side {
            Side::Unmanaged => self.profile.intern_string(name),
            Side::Managed => self.profile.intern_string(&text::method(name)),
        }
    }

    fn keep(&mut self, call: &Call) {
        let outcome = call.outcome as usize;
        let is_managed = call.side == Side::Managed;
        self.longest.push(Reverse((
            call.duration(),
            call.task,
            call.began,
            call.target,
            call.own,
            outcome,
            is_managed,
        )));
        if self.longest.len() > MARKERS {
            self.longest.pop();
        }
    }

    fn add_markers(&mut self) {
        let mut all: Vec<_> = std::mem::take(&mut self.longest)
            .into_iter()
            .map(|Reverse(call)| call)
            .collect();
        all.sort_by_key(|call| (call.1, call.2, Reverse(call.0)));
        for (took, task, began, target, own, outcome, is_managed) in all {
            let Some(thread) = self.threads.get(&task).copied() else {
                continue;
            };
            let side = if is_managed {
                Side::Managed
            } else {
                Side::Unmanaged
            };
            let marker = Marked {
                name: self.label(target, side),
                outcome: self.profile.intern_string(Outcome::ALL[outcome].name()),
                own,
                category: self.categories[side as usize],
            };
            let time = Timestamp::from_nanos_since_reference;
            let timing = MarkerTiming::Interval(time(began), time(began.saturating_add(took)));
            self.profile.add_marker(thread, timing, marker);
        }
    }
}

impl<W: Write> Sink for Firefox<'_, W> {
    fn task(&mut self, task: &TaskInfo) -> io::Result<()> {
        self.task = Some(task.clone());
        self.thread = None;
        self.open.clear();
        self.below.clear();
        Ok(())
    }

    fn began(&mut self, call: &Call) -> io::Result<()> {
        self.sample(call.began);
        self.open.push(Open {
            target: call.target,
            side: call.side,
            stack: None,
        });
        Ok(())
    }

    fn ended(&mut self, call: &Call) -> io::Result<()> {
        if call.outcome.is_layer() {
            self.sample(call.ended);
            self.open.pop();
            self.keep(call);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.add_markers();
        serde_json::to_writer(&mut self.out, &self.profile)?;
        self.out.flush()
    }
}
