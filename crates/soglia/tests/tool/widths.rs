//! Reports on narrow and wide terminals.

use std::io::Write;

use anstream::adapter::strip_str;
use soglia::{
    model::{
        AttachRow, BeforeRow, CallerRow, CrossingCounts, FailureRow, Finding, Model, OpenRow,
        SlowRow, TargetRow, TaskRow, UnwatchedRow,
    },
    text::{Screen, Shown, report},
};
use unicode_width::UnicodeWidthStr;

use crate::outputs::compare;
use crate::support::{Space, text};

const MS: u64 = 1_000_000;

fn frames(frames: &[&str]) -> Vec<String> {
    frames.iter().map(|frame| (*frame).to_owned()).collect()
}

fn placed() -> Vec<String> {
    frames(&[
        "Shop.Payments.Charge",
        "Shop.OrderService+<PlaceOrder>d__3.MoveNext",
        "System.Threading.ExecutionContext.RunInternal",
        "System.Threading.ThreadPoolWorkQueue.Dispatch",
        "[unmanaged]",
    ])
}

fn target(library: &str, entry: &str, calls: u64, total_ns: u64) -> TargetRow {
    TargetRow {
        direction: "forward",
        method: Some(format!("Shop.Native.{entry}")),
        assembly: Some("shop".into()),
        library: Some(library.into()),
        entry: Some(entry.into()),
        calls,
        returned: calls,
        total_ns,
        self_ns: total_ns,
        mean_ns: Some(total_ns / calls),
        p50_ns: Some(total_ns / calls),
        p99_ns: Some(total_ns / calls * 2),
        max_ns: Some(total_ns / calls * 3),
        callers: vec![CallerRow {
            stack: placed(),
            calls: 1,
        }],
        first_caller: placed(),
        ..TargetRow::default()
    }
}

fn targets() -> Vec<TargetRow> {
    let long = "sqlite3_prepare_v2_with_a_name_that_no_terminal_has_room_for";
    let mut sharpen = target("imaging", "image_sharpen", 1, 403 * MS);
    sharpen.suppresses_gc_transition = true;
    sharpen.first_call_ns = sharpen.max_ns;
    let mut two = target("payments", "payments_charge", 12, 4000 * MS);
    two.callers.push(CallerRow {
        stack: frames(&["Shop.Refunds.Pay"]),
        calls: 1,
    });
    two.open = 3;
    two.open_max_ns = Some(5000 * MS);
    let mut elsewhere = target("e_sqlite3", long, 12_345_678, 900 * MS);
    elsewhere.file = Some("/opt/shop/runtimes/linux-x64/native/libsqlite-other.so".into());
    let mut missing = target("heif", "heif_decode", 3, 0);
    (missing.failed, missing.returned) = (3, 0);
    (
        missing.mean_ns,
        missing.p50_ns,
        missing.p99_ns,
        missing.max_ns,
    ) = (None, None, None, None);
    let mut denied = target("libc", "system", 1, 0);
    (denied.calls, denied.refused, denied.mean_ns) = (0, 2, None);
    (denied.p50_ns, denied.p99_ns, denied.max_ns) = (None, None, None);
    let callback = TargetRow {
        direction: "reverse",
        library: None,
        entry: None,
        method: Some("Läden.名前`1+<>c.<Zählen>b__0_0".into()),
        callers: Vec::new(),
        first_caller: Vec::new(),
        ..target("", "", 200_000, 30 * MS)
    };
    vec![two, elsewhere, sharpen, callback, missing, denied]
}

fn tasks() -> Vec<TaskRow> {
    let worker = |task: u32| TaskRow {
        task,
        os_thread: 4000 + task,
        name: Some(format!("order {task}")),
        kind: "pool",
        crossings: 20,
        max_depth: Some(2),
        native_share: Some(0.99),
        began: 100 * MS,
        until: 5100 * MS,
        ..TaskRow::default()
    };
    let main = TaskRow {
        task: 1,
        name: None,
        kind: "main",
        crossings: 12_345_678,
        native_share: Some(0.004),
        ..worker(1)
    };
    [main].into_iter().chain((2..=14).map(worker)).collect()
}

fn model() -> Model {
    let slow = |task: u32, took: u64| SlowRow {
        target: "payments!payments_charge".into(),
        returned: 3000 * MS,
        began: (3000 - took) * MS,
        task,
        duration_ns: took * MS,
        stack: placed(),
        ..SlowRow::default()
    };
    let open = |task: u32| OpenRow {
        task,
        direction: "forward",
        target: "payments!payments_charge".into(),
        began: 100 * MS,
        duration_ns: 5000 * MS,
        stack: placed(),
        ..OpenRow::default()
    };
    Model {
        program: "shop.dll".into(),
        command_line: frames(&[
            "./shop.dll",
            "--orders",
            "/srv/shop/incoming/2026/orders.json",
        ]),
        pid: Some(4001),
        ended: "signal",
        signal: Some(6),
        duration_ns: 5100 * MS,
        level: "summary",
        source: Some("woven"),
        scope: Some("user"),
        crossings: CrossingCounts {
            leave: 12_345_694,
            enter: Some(12_345_691),
            reverse_enter: 200_000,
            reverse_leave: Some(200_000),
        },
        findings: vec![Finding {
            severity: "problem",
            sentence: "3 calls of payments!payments_charge were open when the process ended by \
                       SIGABRT, on 3 threads."
                .into(),
            evidence: "They began 100 ms after the start and were open for 5.00 s.".into(),
            advice: "Look at what the library waits for.".into(),
            link: "docs/advice.md#open-at-crash".into(),
            ..Finding::default()
        }],
        failures: vec![FailureRow {
            target: "heif!heif_decode".into(),
            exception: Some("System.DllNotFoundException".into()),
            reason: "library-not-found",
            missing: Some("libde265.so.0".into()),
            probed: frames(&[
                "/srv/shop/heif.so",
                "/srv/shop/libheif.so",
                "heif.so",
                "libheif.so",
            ]),
            first_caller: placed(),
            calls: 3,
            ..FailureRow::default()
        }],
        targets: targets(),
        tasks: tasks(),
        slow: (2..=12).map(|n| slow(n, 350 + u64::from(n))).collect(),
        slow_threshold_ns: 100 * MS,
        open: vec![open(2), open(3), open(4)],
        ..Model::default()
    }
}

/// A process to which soglia was attached.
fn attached() -> Model {
    let before = |os_thread: u32, callee: &str, crossed| BeforeRow {
        os_thread,
        name: (os_thread > 4711).then(|| format!("connection {os_thread}")),
        inside: true,
        callee: Some(callee.into()),
        crossed,
        stack: placed(),
        native_stack: frames(&["libc.so.6!__read", "libpq.so.5!pqsecure_read+0x4f"]),
        ..BeforeRow::default()
    };
    let gap = |what: &str| UnwatchedRow {
        what: what.into(),
        direction: None,
        assembly: None,
        method: None,
    };
    Model {
        ended: "detached",
        signal: None,
        findings: Vec::new(),
        slow: Vec::new(),
        failures: Vec::new(),
        duration_ns: 30_000 * MS,
        attach: Some(AttachRow {
            ended: Some(30_000 * MS),
            ended_by: Some("tool"),
            live_ns: 3 * MS,
            modules: 5,
            targets: 41,
            callers: 159,
            not_entered: Some(12),
            stacks_read: true,
            process_age_ns: Some(17_460_000 * MS),
            ..AttachRow::default()
        }),
        before: [
            before(4711, "payments!payments_charge", true),
            before(4712, "libpq!PQgetResult", false),
            before(4713, "libpq!PQgetResult", false),
        ]
        .into(),
        not_watched: vec![
            gap("calls of the assembly Plugin: it can be unloaded, and ran at the attach"),
            gap("calls by delegates and function pointers that were made before the attach"),
        ],
        ..model()
    }
}

fn shown(columns: Option<usize>) -> String {
    shown_of(&model(), columns)
}

fn shown_of(model: &Model, columns: Option<usize>) -> String {
    let shown = Shown {
        screen: Screen { columns },
        ..Shown::default()
    };
    let mut out = Vec::new();
    report(model, shown, &mut out).unwrap();
    out.flush().unwrap();
    strip_str(str::from_utf8(&out).unwrap()).to_string()
}

#[test]
fn reports_are_as_expected_on_80_and_120_columns() {
    compare("report-80.txt", &shown(Some(80)));
    compare("report-120.txt", &shown(Some(120)));
    compare("report-wide.txt", &shown(None));
    compare("attached-80.txt", &shown_of(&attached(), Some(80)));
    compare("attached-120.txt", &shown_of(&attached(), Some(120)));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for columns in 40..=200 {
        let attached = shown_of(&attached(), Some(columns));
        for line in shown(Some(columns)).lines().chain(attached.lines()) {
            assert!(line.width() <= columns, "{columns}: {line}");
        }
    }
}

/// What counts is `COLUMNS`, or the terminal.
#[test]
fn names_are_in_full_where_nothing_limits_them() {
    let space = Space::new();
    let output = space
        .run("-q -o a.soglia", "shop.dll", "")
        .output()
        .unwrap();
    assert!(output.status.success());
    let report = |options: &str, columns: Option<&str>| {
        let mut command = space.soglia(&format!("report {options} a.soglia"));
        command.env_remove("COLUMNS").env("TZ", "UTC");
        if let Some(columns) = columns {
            command.env("COLUMNS", columns);
        }
        text(&command.output().unwrap().stdout)
    };
    let full = report("", None);
    assert_eq!(full, report("--wide", Some("60")));
    assert!(
        full.contains("-> payments!payments_charge  Shop.Payments.Charge  shop\n"),
        "{full}"
    );
    for columns in ["60", "80"] {
        let narrow = report("", Some(columns));
        let widest = narrow.lines().map(UnicodeWidthStr::width).max();
        assert!(widest <= columns.parse().ok(), "{narrow}");
        assert!(narrow.contains("-> payments!payments_charge"), "{narrow}");
        assert!(narrow.contains("Payments.Charge"), "{narrow}");
    }
}
