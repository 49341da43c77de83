//! Screens as files: `SOGLIA_BLESS=1 cargo test -p soglia --lib top` writes them. Look at the
//! difference before you commit it.

use std::{path::Path, time::Duration};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent},
};

use super::{super::look, *};
use crate::model::{AttachRow, Bucket, Model, OpenRow, SlowRow, TargetRow, TaskRow, Window};

const MS: u64 = 1_000_000;

fn target(name: (&str, &str), calls: u64, self_ns: u64) -> TargetRow {
    TargetRow {
        direction: "forward",
        library: Some(name.0.into()),
        entry: Some(name.1.into()),
        method: Some(format!("Shop.Native.{}", name.1)),
        assembly: Some("shop".into()),
        file: Some(format!("/usr/lib/lib{}.so", name.0)),
        calls,
        returned: calls,
        total_ns: self_ns,
        self_ns,
        busy_ns: self_ns,
        min_ns: Some(80),
        mean_ns: Some(self_ns / calls.max(1)),
        p50_ns: Some(120),
        p90_ns: Some(400),
        p99_ns: Some(1_200),
        max_ns: Some(3 * MS),
        first_call_ns: Some(2 * MS),
        tasks: 2,
        histogram: [(80, 4), (96, 9), (120, 23), (256, 2), (2_000_000, 1)]
            .map(|(from_ns, calls)| Bucket {
                from_ns,
                to_ns: from_ns + from_ns / 8,
                calls,
            })
            .into(),
        first_caller: vec![
            "Shop.Payments.Charge".into(),
            "Shop.Orders+<Place>d__3.MoveNext".into(),
            "Shop.Program.Main".into(),
        ],
        ..TargetRow::default()
    }
}

fn task(number: u32, kind: &'static str, name: Option<&str>) -> TaskRow {
    TaskRow {
        task: number,
        os_thread: 4000 + number,
        name: name.map(str::to_owned),
        kind,
        crossings: 2_000,
        max_depth: Some(3),
        unmanaged_ns: Some(40 * MS),
        busy_ns: 400 * MS,
        threads: 1,
        ..TaskRow::default()
    }
}

fn model() -> Model {
    let mut stuck = target(("payments", "payments_settle"), 1, 0);
    (stuck.open, stuck.open_max_ns, stuck.returned) = (1, Some(9_500 * MS), 0);
    (stuck.p99_ns, stuck.max_ns, stuck.mean_ns) = (None, None, None);
    let mut failing = target(("heif", "heif_decode"), 3, 0);
    (failing.failed, failing.returned) = (3, 0);
    let callback = TargetRow {
        direction: "reverse",
        method: Some("Shop.Payments+<>c.<Charge>b__3_0".into()),
        ..TargetRow {
            library: None,
            entry: None,
            file: None,
            ..target(("", ""), 12, 11_200)
        }
    };
    Model {
        program: "/srv/shop.dll".into(),
        command_line: vec!["dotnet".into(), "/srv/shop.dll".into()],
        pid: Some(4711),
        ended: "running",
        duration_ns: 12_300 * MS,
        targets: vec![
            target(("imaging", "image_pixel"), 30_000, 417_000),
            target(
                (
                    "payments",
                    "payments_charge_with_a_name_that_is_rather_long",
                ),
                3,
                318 * MS,
            ),
            callback,
            stuck,
            failing,
        ],
        tasks: vec![
            task(1, "main", Some("settling")),
            task(2, "pool", None),
            task(3, "finalizer", None),
        ],
        open: vec![OpenRow {
            task: 1,
            depth: 0,
            direction: "forward",
            target: "payments!payments_settle".into(),
            duration_ns: 9_500 * MS,
            ..OpenRow::default()
        }],
        slow: vec![SlowRow {
            target: "payments!payments_charge_with_a_name_that_is_rather_long".into(),
            returned: 649 * MS,
            task: 2,
            duration_ns: 290 * MS,
            stack: vec!["Shop.Payments.Charge".into()],
            ..SlowRow::default()
        }],
        slow_threshold_ns: 100 * MS,
        ..Model::default()
    }
}

fn screen() -> Screen {
    let whole = model();
    let mut recent = model();
    recent.window = Some(Window {
        from: 11_300 * MS,
        until: 12_300 * MS,
        duration_ns: 1_000 * MS,
    });
    recent.crossings.leave = 30_000;
    recent.crossings.reverse_enter = 4;
    // The stuck call takes all of the time, and two targets have not been called.
    recent
        .targets
        .retain(|row| row.direction == "forward" && row.failed == 0);
    for row in &mut recent.targets {
        if row.open > 0 {
            (row.calls, row.busy_ns) = (0, 1_000 * MS);
        }
    }
    Screen::new(look::Look { whole, recent }, Duration::from_secs(1))
}

/// The text of a screen of this size.
fn drawn(screen: &mut Screen, size: (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let plain = Look { colours: false };
    terminal.draw(|frame| draw(frame, screen, plain)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        let cells = (0..size.0).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..size.1).map(line).collect()
}

fn compare(name: &str, actual: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/draw/screens");
    let path = folder.join(name);
    if std::env::var_os("SOGLIA_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs", path.display());
}

fn press(screen: &mut Screen, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            'v' => KeyCode::Down,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            typed => KeyCode::Char(typed),
        };
        screen.press(KeyEvent::from(code));
    }
}

#[test]
fn screens_are_as_expected() {
    for (name, keys, size) in [
        ("targets-80x24.txt", "", (80, 24)),
        ("targets-80x10.txt", "", (80, 10)),
        ("targets-140x12.txt", "wsv", (140, 12)),
        ("targets-48x10.txt", "vvv", (48, 10)),
        ("threads-80x24.txt", "2", (80, 24)),
        ("target-80x26.txt", "v\n", (80, 26)),
        ("thread-80x24.txt", "2\n", (80, 24)),
        ("help-80x30.txt", "?", (80, 30)),
        ("filtered-80x12.txt", "/pix\n ", (80, 12)),
        ("typing-80x12.txt", "/nothing", (80, 12)),
    ] {
        let mut screen = screen();
        press(&mut screen, keys);
        compare(name, &drawn(&mut screen, size));
    }
    let mut over = screen();
    (over.look.whole.ended, over.look.whole.exit_code) = ("exit", Some(3));
    compare("over-80x12.txt", &drawn(&mut over, (80, 12)));
    let mut attached = screen();
    attached.look.whole.attach = Some(AttachRow::default());
    compare("attached-80x12.txt", &drawn(&mut attached, (80, 12)));
    attached.look.whole.ended = "detached";
    compare("let-go-80x12.txt", &drawn(&mut attached, (80, 12)));
}

#[test]
fn every_size_can_be_drawn() {
    for keys in ["", "2", "3", "\n", "2\n", "?", "/x"] {
        for size in [(1, 1), (39, 8), (40, 8), (41, 9), (79, 24), (300, 80)] {
            let mut screen = screen();
            press(&mut screen, keys);
            drawn(&mut screen, size);
        }
    }
    let nothing = look::Look::default();
    let mut nothing = Screen::new(nothing, Duration::from_secs(1));
    for keys in ["", "2", "3", "1\n", "2\n"] {
        press(&mut nothing, keys);
        drawn(&mut nothing, (80, 24));
    }
}

/// Names come from anyone. None of them may move the cursor.
#[test]
fn control_characters_are_shown_and_not_obeyed() {
    let mut screen = screen();
    let evil = "\u{1b}[2Jx\u{7}\u{202e}";
    let model = &mut screen.look.whole;
    model.program = evil.into();
    for row in &mut model.targets {
        (row.method, row.entry, row.assembly) =
            (Some(evil.into()), Some(evil.into()), Some(evil.into()));
        row.file = Some(evil.into());
        row.first_caller = vec![evil.into()];
    }
    model.tasks[0].name = Some(evil.into());
    model.open[0].target = evil.into();
    model.slow[0].target = evil.into();
    model.slow[0].stack = vec![evil.into()];
    screen.filter = "x".into();
    for keys in ["", "\n", "\u{1b}2", "\n", "3", "/"] {
        press(&mut screen, keys);
        screen.filter = "x".into();
        let text = drawn(&mut screen, (100, 30));
        let bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(bad), "{text:?}");
    }
}

#[test]
fn keys_move_sort_and_open() {
    let mut screen = screen();
    drawn(&mut screen, (80, 24));
    let first = |screen: &Screen| screen.targets()[0].name.clone();
    assert_eq!(first(&screen), "payments!payments_settle");
    press(&mut screen, "s");
    assert_eq!(first(&screen), "imaging!image_pixel");
    press(&mut screen, "r");
    assert_ne!(first(&screen), "imaging!image_pixel");
    press(&mut screen, "rSa");
    assert_eq!((screen.sort.name(), screen.all), ("self time", true));
    // The selection stays in the list.
    press(&mut screen, "vvvvvvvvvvvv");
    assert_eq!(screen.selected(screen.targets().len()), 4);
    press(&mut screen, "/decode\n");
    assert_eq!((screen.targets().len(), screen.selected(1)), (1, 0));
    press(&mut screen, "\n");
    assert!(matches!(screen.page, Some(Page::Target(_))));
    press(&mut screen, "\u{1b}");
    assert_eq!((screen.page.is_none(), &*screen.filter), (true, "decode"));
    press(&mut screen, "\u{1b}");
    assert_eq!(screen.filter, "");
    press(&mut screen, "\t\n");
    assert_eq!(screen.page, Some(Page::Thread(1)));
    press(&mut screen, "3");
    assert_eq!((screen.tab, screen.page.is_none()), (Tab::Findings, true));
}
