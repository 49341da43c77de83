//! pprof's profiles: calls and own time, by caller.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use prost::Message;

use super::{named::Named, tree::Tree};

/// What is said of a profile whose times are estimates.
const ESTIMATED: &str =
    "Times are estimated from a sample of the calls. Numbers of calls are exact.";

/// The messages of `profile.proto`, with their fields' numbers.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub sample: Vec<Sample>,
        #[prost(message, repeated, tag = "4")]
        pub location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub period: i64,
        #[prost(int64, repeated, tag = "13")]
        pub comment: Vec<i64>,
        #[prost(int64, tag = "14")]
        pub default_sample_type: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ValueType {
        #[prost(int64, tag = "1")]
        pub kind: i64,
        #[prost(int64, tag = "2")]
        pub unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub value: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Location {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(message, repeated, tag = "4")]
        pub line: Vec<Line>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Line {
        #[prost(uint64, tag = "1")]
        pub function_id: u64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Function {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(int64, tag = "2")]
        pub name: i64,
        #[prost(int64, tag = "3")]
        pub system_name: i64,
        #[prost(int64, tag = "4")]
        pub filename: i64,
    }
}

/// Texts by number. Number 0 is the empty one.
struct Texts {
    all: Vec<String>,
    numbers: HashMap<String, i64>,
}

impl Texts {
    fn number(&mut self, text: &str) -> i64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.all.len() as i64;
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// Writes the profile.
///
/// # Errors
/// If the export cannot be written.
pub fn profile(tree: &Tree, named: &Named, mut out: impl Write) -> io::Result<()> {
    let mut texts = Texts {
        all: vec![String::new()],
        numbers: HashMap::new(),
    };
    let mut value = |kind: &str, unit: &str| proto::ValueType {
        kind: texts.number(kind),
        unit: texts.number(unit),
    };
    let (calls, time) = (value("calls", "count"), value("self", "nanoseconds"));
    let comment = named.is_sampled.then(|| texts.number(ESTIMATED));
    let (mut function, mut location) = (Vec::new(), Vec::new());
    // A frame is a function and a location, both with the frame's number, from 1.
    for (id, name) in (1..).zip(&tree.frames) {
        let name = texts.number(name);
        function.push(proto::Function {
            id,
            name,
            system_name: name,
            filename: 0,
        });
        location.push(proto::Location {
            id,
            line: vec![proto::Line { function_id: id }],
        });
    }
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    // Not all samples at once: paths may be long.
    let head = proto::Profile {
        sample_type: vec![calls, time],
        location,
        function,
        time_nanos: signed(named.wall_ns),
        duration_nanos: signed(named.until),
        period_type: Some(time),
        period: 1,
        comment: comment.into_iter().collect(),
        default_sample_type: time.kind,
        string_table: texts.all,
        ..proto::Profile::default()
    };
    out.write_all(&head.encode_to_vec())?;
    let mut bytes = Vec::new();
    for (number, node) in tree.nodes.iter().enumerate() {
        if node.calls == 0 {
            continue;
        }
        let mut path = Vec::new();
        let mut at = number;
        while at != 0 {
            path.push(tree.nodes[at].frame as u64 + 1);
            at = tree.nodes[at].parent;
        }
        let sample = proto::Sample {
            location_id: path,
            value: vec![signed(node.calls), signed(node.own)],
        };
        bytes.clear();
        prost::encoding::message::encode(2, &sample, &mut bytes);
        out.write_all(&bytes)?;
    }
    out.flush()
}
