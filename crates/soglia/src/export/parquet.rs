//! Apache Parquet: a row per call, or a row per target.
//!
//! A row group is filled column by column, so no more than one is in memory.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Write},
    path::Path,
    rc::Rc,
    sync::Arc,
};

use parquet::{
    basic::{Compression, Encoding},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{parser::parse_message_type, types::ColumnPath},
};

use super::{
    named::{Named, short},
    sink::{Call, Outcome, Sink},
};
use crate::model::{Model, TargetInfo, TargetRow};

/// Rows of a group.
const GROUP: usize = 1 << 17;

type Get<R, T> = Box<dyn Fn(&R) -> T>;

/// The values of a column.
enum Values<R> {
    /// Numbers that lie close to those of the rows before.
    Near(Get<R, u64>),
    Number(Get<R, u64>),
    MaybeNumber(Get<R, Option<u64>>),
    /// Nanoseconds since 1970.
    Time(Get<R, u64>),
    Text(Get<R, ByteArray>),
    MaybeText(Get<R, Option<ByteArray>>),
    Truth(Get<R, bool>),
}

/// Columns by name, in order.
type Columns<R> = Vec<(&'static str, Values<R>)>;

/// A file being written.
struct Table<R, W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Columns<R>,
    rows: Vec<R>,
}

impl<R, W: Write + Send> Table<R, W> {
    fn new(columns: Columns<R>, out: W) -> io::Result<Self> {
        let mut schema = "message soglia {\n".to_owned();
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("soglia ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        for (name, values) in &columns {
            let kind = match values {
                Values::Near(_) | Values::Number(_) => "REQUIRED INT64",
                Values::MaybeNumber(_) => "OPTIONAL INT64",
                Values::Time(_) => "REQUIRED INT64",
                Values::Text(_) => "REQUIRED BYTE_ARRAY",
                Values::MaybeText(_) => "OPTIONAL BYTE_ARRAY",
                Values::Truth(_) => "REQUIRED BOOLEAN",
            };
            let means = match values {
                Values::Time(_) => " (TIMESTAMP(NANOS,true))",
                Values::Text(_) | Values::MaybeText(_) => " (STRING)",
                _ => "",
            };
            // Writing into memory does not fail.
            let _ = writeln!(schema, "{kind} {name}{means};");
            if matches!(values, Values::Near(_) | Values::Time(_)) {
                let path = ColumnPath::from(*name);
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
        schema += "}";
        let schema = parse_message_type(&schema).map_err(failed)?;
        let properties = Arc::new(properties.build());
        let file = SerializedFileWriter::new(out, Arc::new(schema), properties);
        Ok(Self {
            file: file.map_err(failed)?,
            columns,
            rows: Vec::new(),
        })
    }

    fn push(&mut self, row: R) -> io::Result<()> {
        self.rows.push(row);
        match self.rows.len() {
            GROUP => self.write_group(),
            _ => Ok(()),
        }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.file.next_row_group().map_err(failed)?;
        let rows = &self.rows;
        for (_, values) in &self.columns {
            match values {
                Values::Near(get) | Values::Number(get) | Values::Time(get) => {
                    column::<Int64Type, _>(&mut group, rows, |row| Some(signed(get(row))), false)
                }
                Values::MaybeNumber(get) => {
                    column::<Int64Type, _>(&mut group, rows, |row| get(row).map(signed), true)
                }
                Values::Text(get) => {
                    column::<ByteArrayType, _>(&mut group, rows, |row| Some(get(row)), false)
                }
                Values::MaybeText(get) => column::<ByteArrayType, _>(&mut group, rows, get, true),
                Values::Truth(get) => {
                    column::<BoolType, _>(&mut group, rows, |row| Some(get(row)), false)
                }
            }
            .map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.rows.clear();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.file.finish().map_err(failed)?;
        self.file.inner_mut().flush()
    }
}

/// Numbers of a recording that somebody made up may be larger than Parquet's.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The system's own error, if it is one.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

/// Writes the next column of a group.
fn column<T: DataType, R>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    rows: &[R],
    get: impl Fn(&R) -> Option<T::T>,
    optional: bool,
) -> Result<(), ParquetError> {
    // A part at a time, so that little is copied.
    const PART: usize = 1 << 12;
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for part in rows.chunks(PART) {
        values.clear();
        levels.clear();
        for row in part {
            let value = get(row);
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
        let levels = optional.then_some(&levels[..]);
        column.typed::<T>().write_batch(&values, levels, None)?;
    }
    column.close()
}

/// Names as Parquet has them.
struct Names {
    target: ByteArray,
    method: Option<ByteArray>,
    assembly: Option<ByteArray>,
    library: Option<ByteArray>,
    entry: Option<ByteArray>,
    runtime_internal: bool,
}

impl Names {
    fn of(info: &TargetInfo) -> Self {
        let part = |name: &Option<String>| name.as_deref().map(ByteArray::from);
        Self {
            target: ByteArray::from(&*info.name),
            method: part(&info.method),
            assembly: part(&info.assembly),
            library: part(&info.library),
            entry: part(&info.entry),
            runtime_internal: info.runtime_internal,
        }
    }
}

/// A row per call.
pub struct Calls<W: Write + Send> {
    table: Table<(Call, usize), W>,
    /// The place of each target among the names.
    places: HashMap<u32, usize>,
}

impl<W: Write + Send> Calls<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn new(named: &Named, out: W) -> io::Result<Self> {
        let mut names = vec![Names::of(named.target(u32::MAX))];
        let mut places = HashMap::new();
        for (target, info) in named.targets() {
            places.insert(target, names.len());
            names.push(Names::of(info));
        }
        Ok(Self {
            table: Table::new(call_columns(names, named), out)?,
            places,
        })
    }
}

fn call_columns(names: Vec<Names>, named: &Named) -> Columns<(Call, usize)> {
    type Row = (Call, usize);
    let (wall_ns, pid) = (named.wall_ns, u64::from(named.pid));
    let program = ByteArray::from(&*named.program);
    let names = Rc::new(names);
    let directions = ["forward", "reverse"].map(ByteArray::from);
    let outcomes = Outcome::ALL.map(|outcome| ByteArray::from(outcome.name()));
    fn number(get: fn(&Call) -> u64) -> Values<Row> {
        Values::Number(Box::new(move |row| get(&row.0)))
    }
    fn near(get: fn(&Call) -> u64) -> Values<Row> {
        Values::Near(Box::new(move |row| get(&row.0)))
    }
    let part = |get: fn(&Names) -> &Option<ByteArray>| {
        let names = names.clone();
        Values::MaybeText(Box::new(move |row: &Row| get(&names[row.1]).clone()))
    };
    let (of_target, of_internal) = (names.clone(), names.clone());
    let ended = |row: &Row| (row.0.outcome != Outcome::Open).then_some(row.0.ended);
    vec![
        ("task", number(|call| call.task.into())),
        ("os_thread", number(|call| call.os_thread.into())),
        ("depth", number(|call| call.depth.into())),
        (
            "direction",
            Values::Text(Box::new(move |row| directions[row.0.side as usize].clone())),
        ),
        (
            "outcome",
            Values::Text(Box::new(move |row| {
                outcomes[row.0.outcome as usize].clone()
            })),
        ),
        ("began", near(|call| call.began)),
        ("ended", Values::MaybeNumber(Box::new(ended))),
        ("duration_ns", near(Call::duration)),
        ("self_ns", near(|call| call.own)),
        (
            "time",
            Values::Time(Box::new(move |row| wall_ns.saturating_add(row.0.began))),
        ),
        (
            "target",
            Values::Text(Box::new(move |row| of_target[row.1].target.clone())),
        ),
        ("method", part(|names| &names.method)),
        ("assembly", part(|names| &names.assembly)),
        ("library", part(|names| &names.library)),
        ("entry", part(|names| &names.entry)),
        (
            "runtime_internal",
            Values::Truth(Box::new(move |row| of_internal[row.1].runtime_internal)),
        ),
        ("program", Values::Text(Box::new(move |_| program.clone()))),
        ("pid", Values::Number(Box::new(move |_| pid))),
    ]
}

impl<W: Write + Send> Sink for Calls<W> {
    fn ended(&mut self, call: &Call) -> io::Result<()> {
        let place = self.places.get(&call.target).copied().unwrap_or(0);
        self.table.push((*call, place))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.table.finish()
    }
}

/// Writes a row per target.
///
/// # Errors
/// If the export cannot be written.
pub fn targets(model: Model, out: impl Write + Send) -> io::Result<()> {
    let mut table = Table::new(target_columns(&model), out)?;
    for row in model.targets {
        table.push(row)?;
    }
    table.finish()
}

fn target_columns(model: &Model) -> Columns<TargetRow> {
    type Row = TargetRow;
    let program = Path::new(&model.program).file_name().unwrap_or_default();
    let program = ByteArray::from(&*short(&program.to_string_lossy()));
    let (pid, run_ns) = (model.pid.map_or(0, u64::from), model.duration_ns);
    let started = model.wall.start_ns().unwrap_or(0);
    fn number(get: fn(&Row) -> u64) -> Values<Row> {
        Values::Number(Box::new(get))
    }
    fn maybe(get: fn(&Row) -> Option<u64>) -> Values<Row> {
        Values::MaybeNumber(Box::new(get))
    }
    fn text(get: fn(&Row) -> &Option<String>) -> Values<Row> {
        let bytes = |text: &String| ByteArray::from(&*short(text));
        Values::MaybeText(Box::new(move |row| get(row).as_ref().map(bytes)))
    }
    let name = |row: &Row| ByteArray::from(&*short(&row.name()));
    let caller = |row: &Row| {
        let frame = row.first_caller.first();
        frame.map(|frame| ByteArray::from(&*short(frame)))
    };
    vec![
        ("target", Values::Text(Box::new(name))),
        (
            "direction",
            Values::Text(Box::new(|row| ByteArray::from(row.direction))),
        ),
        ("method", text(|row| &row.method)),
        ("assembly", text(|row| &row.assembly)),
        ("library", text(|row| &row.library)),
        ("entry", text(|row| &row.entry)),
        ("redirected_to", text(|row| &row.redirected_to)),
        ("address", text(|row| &row.address)),
        ("file", text(|row| &row.file)),
        ("offset", text(|row| &row.offset)),
        ("symbol", text(|row| &row.symbol)),
        (
            "runtime_internal",
            Values::Truth(Box::new(|row| row.runtime_internal)),
        ),
        ("calls", number(|row| row.calls)),
        ("returned", number(|row| row.returned)),
        ("open", number(|row| row.open)),
        ("open_max_ns", maybe(|row| row.open_max_ns)),
        ("abandoned", number(|row| row.abandoned)),
        ("failed", number(|row| row.failed)),
        ("refused", number(|row| row.refused)),
        ("untimed", number(|row| row.untimed)),
        ("total_ns", number(|row| row.total_ns)),
        ("self_ns", number(|row| row.self_ns)),
        ("min_ns", maybe(|row| row.min_ns)),
        ("mean_ns", maybe(|row| row.mean_ns)),
        ("p50_ns", maybe(|row| row.p50_ns)),
        ("p90_ns", maybe(|row| row.p90_ns)),
        ("p99_ns", maybe(|row| row.p99_ns)),
        ("max_ns", maybe(|row| row.max_ns)),
        ("first_call_ns", maybe(|row| row.first_call_ns)),
        ("tasks", number(|row| row.tasks)),
        ("first_caller", Values::MaybeText(Box::new(caller))),
        ("timed_calls", number(|row| row.timed_calls)),
        ("total_ns_se", maybe(|row| row.total_ns_se)),
        ("self_ns_se", maybe(|row| row.self_ns_se)),
        ("program", Values::Text(Box::new(move |_| program.clone()))),
        ("pid", Values::Number(Box::new(move |_| pid))),
        ("started", Values::Time(Box::new(move |_| started))),
        ("run_ns", Values::Number(Box::new(move |_| run_ns))),
    ]
}
