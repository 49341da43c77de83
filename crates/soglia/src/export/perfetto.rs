//! Perfetto's traces: a track per task, with nested slices.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
};

use super::{
    named::Named,
    sink::{Call, Outcome, Sink, TaskInfo},
};

/// The messages of Perfetto's `trace_packet.proto` that an export needs, with the numbers of their
/// fields.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TracePacket {
        #[prost(message, optional, tag = "6")]
        pub clock_snapshot: Option<ClockSnapshot>,
        #[prost(uint64, optional, tag = "8")]
        pub timestamp: Option<u64>,
        #[prost(uint32, optional, tag = "10")]
        pub trusted_packet_sequence_id: Option<u32>,
        #[prost(message, optional, tag = "11")]
        pub track_event: Option<TrackEvent>,
        #[prost(message, optional, tag = "12")]
        pub interned_data: Option<InternedData>,
        #[prost(uint32, optional, tag = "13")]
        pub sequence_flags: Option<u32>,
        #[prost(message, optional, tag = "60")]
        pub track_descriptor: Option<TrackDescriptor>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ClockSnapshot {
        #[prost(message, repeated, tag = "1")]
        pub clocks: Vec<Clock>,
        #[prost(uint32, optional, tag = "2")]
        pub primary_trace_clock: Option<u32>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Clock {
        #[prost(uint32, optional, tag = "1")]
        pub clock_id: Option<u32>,
        #[prost(uint64, optional, tag = "2")]
        pub timestamp: Option<u64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TrackEvent {
        #[prost(uint64, repeated, packed = "false", tag = "3")]
        pub category_iids: Vec<u64>,
        #[prost(message, repeated, tag = "4")]
        pub debug_annotations: Vec<DebugAnnotation>,
        #[prost(int32, optional, tag = "9")]
        pub kind: Option<i32>,
        #[prost(uint64, optional, tag = "10")]
        pub name_iid: Option<u64>,
        #[prost(uint64, optional, tag = "11")]
        pub track_uuid: Option<u64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct DebugAnnotation {
        #[prost(string, optional, tag = "6")]
        pub string_value: Option<String>,
        #[prost(string, optional, tag = "10")]
        pub name: Option<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct InternedData {
        #[prost(message, repeated, tag = "1")]
        pub event_categories: Vec<Interned>,
        #[prost(message, repeated, tag = "2")]
        pub event_names: Vec<Interned>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Interned {
        #[prost(uint64, optional, tag = "1")]
        pub iid: Option<u64>,
        #[prost(string, optional, tag = "2")]
        pub name: Option<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TrackDescriptor {
        #[prost(uint64, optional, tag = "1")]
        pub uuid: Option<u64>,
        #[prost(string, optional, tag = "2")]
        pub name: Option<String>,
        #[prost(message, optional, tag = "3")]
        pub process: Option<ProcessDescriptor>,
        #[prost(message, optional, tag = "4")]
        pub thread: Option<ThreadDescriptor>,
        #[prost(uint64, optional, tag = "5")]
        pub parent_uuid: Option<u64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ProcessDescriptor {
        #[prost(int32, optional, tag = "1")]
        pub pid: Option<i32>,
        #[prost(string, optional, tag = "6")]
        pub process_name: Option<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ThreadDescriptor {
        #[prost(int32, optional, tag = "1")]
        pub pid: Option<i32>,
        #[prost(int32, optional, tag = "2")]
        pub tid: Option<i32>,
        #[prost(string, optional, tag = "5")]
        pub thread_name: Option<String>,
    }

    pub const SLICE_BEGIN: i32 = 1;
    pub const SLICE_END: i32 = 2;
    pub const INSTANT: i32 = 3;
    /// Names that were interned before are forgotten.
    pub const STATE_CLEARED: u32 = 1;
    /// The packet refers to interned names.
    pub const NEEDS_STATE: u32 = 2;
    pub const REALTIME: u32 = 1;
    pub const BOOTTIME: u32 = 6;
}

use proto::{Interned, InternedData, TracePacket, TrackDescriptor, TrackEvent};

/// The track of the process. Those of tasks follow.
const PROCESS: u64 = 1;
/// All packets are of one sequence, so that names are interned once.
const SEQUENCE: u32 = 1;
/// The name of targets that have none. The names of others have the target's number and this.
const NOTHING: u64 = 1;
/// Names of one packet.
const NAMES: usize = 1000;

/// Writes a packet per begin and end of a call.
pub struct Perfetto<W> {
    out: W,
    packet: Vec<u8>,
    pid: i32,
    names: HashMap<u32, u64>,
    threads: HashSet<u32>,
    track: u64,
}

impl<W: Write> Perfetto<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn new(named: &Named, out: W) -> io::Result<Self> {
        let mut new = Self {
            out,
            packet: Vec::new(),
            pid: named.pid.cast_signed(),
            names: HashMap::new(),
            threads: HashSet::new(),
            track: PROCESS,
        };
        // Time 0 of the trace is time 0 of reports; viewers show the time of day too.
        let clock = |clock_id, timestamp| proto::Clock {
            clock_id: Some(clock_id),
            timestamp: Some(timestamp),
        };
        new.write(&TracePacket {
            clock_snapshot: Some(proto::ClockSnapshot {
                clocks: vec![
                    clock(proto::BOOTTIME, 0),
                    clock(proto::REALTIME, named.wall_ns),
                ],
                primary_trace_clock: Some(proto::BOOTTIME),
            }),
            ..of_sequence(proto::STATE_CLEARED)
        })?;
        new.write(&TracePacket {
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(PROCESS),
                process: Some(proto::ProcessDescriptor {
                    pid: Some(new.pid),
                    process_name: Some(named.program.clone()),
                }),
                ..TrackDescriptor::default()
            }),
            ..of_sequence(0)
        })?;
        let interned = |iid: u64, name: &str| Interned {
            iid: Some(iid),
            name: Some(name.to_owned()),
        };
        new.write(&TracePacket {
            interned_data: Some(InternedData {
                event_categories: vec![interned(1, "forward"), interned(2, "reverse")],
                event_names: vec![interned(NOTHING, &named.target(u32::MAX).name)],
            }),
            ..of_sequence(0)
        })?;
        let all = named.targets();
        for part in all.chunks(NAMES) {
            let mut names = Vec::new();
            for (target, info) in part {
                let iid = u64::from(*target) + NOTHING + 1;
                new.names.insert(*target, iid);
                names.push(interned(iid, &info.name));
            }
            new.write(&TracePacket {
                interned_data: Some(InternedData {
                    event_names: names,
                    ..InternedData::default()
                }),
                ..of_sequence(proto::NEEDS_STATE)
            })?;
        }
        Ok(new)
    }

    /// Writes a packet as an element of the trace's only field.
    fn write(&mut self, packet: &TracePacket) -> io::Result<()> {
        self.packet.clear();
        prost::encoding::message::encode(1, packet, &mut self.packet);
        self.out.write_all(&self.packet)
    }

    fn event(&mut self, at: u64, kind: i32, call: &Call) -> io::Result<()> {
        let begins = kind != proto::SLICE_END;
        let name = self.names.get(&call.target).copied().unwrap_or(NOTHING);
        let is_told = !begins && call.outcome != Outcome::Returned || kind == proto::INSTANT;
        let outcome = is_told.then(|| proto::DebugAnnotation {
            name: Some("outcome".to_owned()),
            string_value: Some(call.outcome.name().to_owned()),
        });
        let track = self.track;
        self.write(&TracePacket {
            timestamp: Some(at),
            track_event: Some(TrackEvent {
                kind: Some(kind),
                name_iid: begins.then_some(name),
                category_iids: match begins {
                    true => vec![1 + call.side as u64],
                    false => Vec::new(),
                },
                debug_annotations: outcome.into_iter().collect(),
                track_uuid: Some(track),
            }),
            ..of_sequence(proto::NEEDS_STATE)
        })
    }
}

fn of_sequence(flags: u32) -> TracePacket {
    TracePacket {
        trusted_packet_sequence_id: Some(SEQUENCE),
        sequence_flags: (flags > 0).then_some(flags),
        ..TracePacket::default()
    }
}

impl<W: Write> Sink for Perfetto<W> {
    fn task(&mut self, task: &TaskInfo) -> io::Result<()> {
        self.track = PROCESS + u64::from(task.number);
        // Of two tasks on a thread, one after the other, the second has a track of its own below
        // the process.
        let is_first = task.os_thread != 0 && self.threads.insert(task.os_thread);
        let thread = is_first.then(|| proto::ThreadDescriptor {
            pid: Some(self.pid),
            tid: Some(task.os_thread.cast_signed()),
            thread_name: Some(task.title()),
        });
        self.write(&TracePacket {
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(self.track),
                name: Some(task.title()),
                parent_uuid: Some(PROCESS),
                thread,
                ..TrackDescriptor::default()
            }),
            ..of_sequence(0)
        })
    }

    fn began(&mut self, call: &Call) -> io::Result<()> {
        self.event(call.began, proto::SLICE_BEGIN, call)
    }

    fn ended(&mut self, call: &Call) -> io::Result<()> {
        match call.outcome {
            // A slice without an end is shown as one that has not ended.
            Outcome::Open => Ok(()),
            outcome if outcome.is_layer() => self.event(call.ended, proto::SLICE_END, call),
            _ => self.event(call.began, proto::INSTANT, call),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
