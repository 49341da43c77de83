"""Reads exports by libraries that know nothing of soglia, and prints what they say as JSON.

python3 read.py queries FOLDER  each query of standard input, separated by empty lines, in FOLDER
python3 read.py clickhouse FOLDER  the same by ClickHouse's engine
python3 read.py arrow FILE      all rows of a Parquet file
python3 read.py perfetto FILE   the slices of a trace, by track
"""

import json
import os
import sys


def queries(folder):
    import duckdb

    os.chdir(folder)
    results = []
    for query in sys.stdin.read().split("\n\n"):
        found = duckdb.sql(query)
        results.append([dict(zip(found.columns, row)) for row in found.fetchall()])
    return results


def clickhouse(folder):
    import chdb

    os.chdir(folder)
    queries = sys.stdin.read().split("\n\n")
    return [json.loads(str(chdb.query(query, "JSON")))["data"] for query in queries]


def arrow(file):
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(file)
    table.validate(full=True)
    # Python's own times have no nanoseconds.
    place = table.schema.get_field_index("time")
    time = table["time"].cast(pyarrow.timestamp("us", "UTC"), safe=False)
    table = table.set_column(place, "time", time)
    return table.to_pylist()


def perfetto(file):
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

    trace = proto.Trace()
    with open(file, "rb") as f:
        trace.ParseFromString(f.read())
    Event, names, tracks, slices, clocks = proto.TrackEvent, {}, {}, [], {}
    for packet in trace.packet:
        for clock in packet.clock_snapshot.clocks:
            clocks[clock.clock_id] = clock.timestamp
        for name in packet.interned_data.event_names:
            names[name.iid] = name.name
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            if track.HasField("process"):
                clocks["process"] = track.process.process_name
            else:
                assert track.parent_uuid == 1, track
                tracks[track.uuid] = {"name": track.name, "open": [], "last": 0}
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        track = tracks[event.track_uuid]
        assert packet.timestamp >= track["last"], "in the order of time"
        track["last"] = packet.timestamp
        outcome = {note.name: note.string_value for note in event.debug_annotations}.get("outcome")
        if event.type == Event.TYPE_SLICE_END:
            begun = track["open"].pop()
            begun["ended"] = packet.timestamp
            begun["outcome"] = outcome or "returned"
            continue
        begun = {
            "track": track["name"],
            "target": names[event.name_iid],
            "began": packet.timestamp,
            "depth": len(track["open"]),
            "direction": ["forward", "reverse"][event.category_iids[0] - 1],
            "ended": None,
            "outcome": outcome or "open",
        }
        slices.append(begun)
        if event.type == Event.TYPE_SLICE_BEGIN:
            track["open"].append(begun)
        else:
            begun["ended"] = packet.timestamp
    clocks = {str(clock): value for clock, value in clocks.items()}
    return {"slices": slices, "clocks": clocks}


print(json.dumps(globals()[sys.argv[1]](sys.argv[2]), default=str))
