//! The page of a report, in Chromium.

use std::path::PathBuf;

use serde_json::{Value, json};
use soglia_core::trace::attached::{Attach, Detach, Snapshot};
use soglia_core::trace::log::{Record, Unwatched};
use soglia_core::trace::writer::Level;
use soglia_testing::chromium::Chromium;
use soglia_testing::needs::Outcome;

use crate::craft::{CALL, Craft, RETURN, put, target};
use crate::support::{Space, text};

pub const WIDE: (u32, u32) = (1600, 1000);

/// Records a fixture, and makes its page.
fn page(space: &Space, options: &str, program: &str, args: &str) -> PathBuf {
    let run = space.run(&format!("-q {options} -o a.soglia"), program, args);
    succeeds(run);
    page_of(space, "a.soglia")
}

pub fn page_of(space: &Space, recording: &str) -> PathBuf {
    let made = space.soglia(&format!("report {recording} --format html -o a.html"));
    succeeds(made);
    space.path("a.html")
}

pub fn succeeds(mut command: std::process::Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Opens a page that its scripts have completed.
pub fn open(chromium: &mut Chromium, page: &std::path::Path, size: (u32, u32), dark: bool) {
    chromium.open(page, size, dark);
    let complaints = chromium.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(
        chromium.eval("document.documentElement.dataset.ready"),
        json!("true")
    );
}

pub fn texts(chromium: &mut Chromium, selector: &str) -> Vec<String> {
    let found = chromium.eval(&format!(
        "[...document.querySelectorAll({selector:?})].map((one) => one.textContent)"
    ));
    serde_json::from_value(found).unwrap()
}

fn number(chromium: &mut Chromium, expression: &str) -> f64 {
    chromium.eval(expression).as_f64().unwrap()
}

pub const NAMES: &str = "#targets-table .row-name";

pub fn it_shows_what_was_recorded() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "--slow 100ms", "shop.dll", "");
    let report = space.recording("a.soglia").json("");
    open(&mut chromium, &page, WIDE, false);
    assert_eq!(chromium.eval("document.title"), json!("shop.dll - soglia"));
    let head = texts(&mut chromium, "#top").concat();
    let calls = report["crossings"]["leave"].as_u64().unwrap();
    let grouped = format!("{},{:03}", calls / 1000, calls % 1000);
    for part in [
        "exit code 0",
        &grouped,
        report["runtime"]["version"].as_str().unwrap(),
    ] {
        assert!(head.contains(part), "{part}: {head}");
    }
    let shown = texts(&mut chromium, NAMES);
    let rows = report["targets"].as_array().unwrap();
    let own = rows
        .iter()
        .filter(|row| row["runtime_internal"] == json!(false));
    assert_eq!(shown.len(), own.count());
    assert_eq!(shown[0], "payments!payments_charge");
    // The call to a library that is missing has a section of its own.
    let troubles = texts(&mut chromium, "#troubles").concat();
    assert!(troubles.contains("heif!heif_decode"), "{troubles}");
    let slow = texts(&mut chromium, "#slow").concat();
    assert!(slow.contains("Shop.Payments.Charge"), "{slow}");
    // A row opens, and shows the calls by their duration.
    chromium.eval(&format!("document.querySelectorAll({NAMES:?})[0].click()"));
    assert!(
        number(
            &mut chromium,
            "document.querySelectorAll('tr.detail rect.bucket').length"
        ) >= 2.0
    );
    let details = texts(&mut chromium, "tr.detail").concat();
    assert!(details.contains("Shop.Payments.Charge"), "{details}");
    assert!(details.contains("3 on 1 thread"), "{details}");
    assert!(chromium.complaints().is_empty());
    Ok(())
}

/// How a process was ended, what was open then, and what was called before.
pub fn a_crash_is_shown_first() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let mut run = space.run("-q -o a.soglia", "semantics.dll", "segv");
    assert!(!run.status().unwrap().success());
    let page = page_of(&space, "a.soglia");
    open(&mut chromium, &page, WIDE, false);
    let head = texts(&mut chromium, "#top").concat();
    assert!(head.contains("SIGSEGV"), "{head}");
    let first = texts(&mut chromium, "main section:first-of-type").concat();
    assert!(first.contains("die_by_segv"), "{first}");
    let open = texts(&mut chromium, "#troubles").concat();
    assert!(open.contains("Soglia.Semantics.Exits.Die"), "{open}");
    // The timeline has the call too, with the colour of open calls below it.
    let slices = "JSON.parse(document.getElementById('data').textContent).timeline.tasks.flatMap((task) => task.lanes).length";
    assert_eq!(chromium.eval(slices), json!(1));
    assert!(chromium.complaints().is_empty());
    Ok(())
}

/// A page is small whatever it is made of, and has every call.
pub fn a_long_recording_has_a_small_page() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "--record events", "bench.dll", "10000 2");
    let report = space.recording("a.soglia").json("");
    let crossings = &report["crossings"];
    let calls = crossings["leave"].as_u64().unwrap() + crossings["reverse_enter"].as_u64().unwrap();
    assert!(calls > 1_000_000, "{calls}");
    let size = std::fs::metadata(&page).unwrap().len();
    assert!(size < 6 << 20, "{size}");
    open(&mut chromium, &page, WIDE, false);
    let drawn = "(() => { let calls = 0; for (const { lanes, deeper } of JSON.parse(document.getElementById('data').textContent).timeline.tasks) { calls += deeper; for (const lane of lanes) for (let n = 0; n < lane.length; ) { const several = lane[n + 2] % 2; calls += several ? lane[n + 3] : 1; n += several ? 5 : 3; } } return calls; })()";
    assert_eq!(chromium.eval(drawn), json!(calls));
    let note = texts(&mut chromium, "#timeline").concat();
    assert!(note.contains("are drawn as one block"), "{note}");
    assert!(chromium.complaints().is_empty());
    Ok(())
}

pub fn it_fits_every_width_and_light() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "--record events", "shop.dll", "");
    let mut backgrounds = Vec::new();
    for width in [400, 720, 1000, 1600] {
        for dark in [false, true] {
            open(&mut chromium, &page, (width, 900), dark);
            chromium.eval(&format!("document.querySelectorAll({NAMES:?})[0].click()"));
            let over = "document.documentElement.scrollWidth - innerWidth";
            assert_eq!(chromium.eval(over), json!(0), "{width} {dark}");
            let light = number(
                &mut chromium,
                "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])",
            );
            assert_eq!(light < 100.0, dark, "{width}");
            // The switch shows the other colours, and canvases follow.
            let drawn = "document.querySelector('#timeline .view canvas').toDataURL()";
            let before = chromium.eval(drawn);
            chromium.eval("document.getElementById('theme').click()");
            chromium.eval(
                "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
            );
            assert_ne!(chromium.eval(drawn), before, "{width} {dark}");
            backgrounds.push(light);
        }
    }
    assert_eq!(backgrounds.len(), 8);
    assert!(chromium.complaints().is_empty());
    Ok(())
}

pub fn the_table_sorts_and_filters() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "", "sqlitedemo.dll", "500");
    open(&mut chromium, &page, WIDE, true);
    let all = texts(&mut chromium, NAMES);
    let sort = |chromium: &mut Chromium, column: u32| {
        chromium.eval(&format!(
            "document.querySelectorAll('#targets-table th button')[{column}].click()"
        ));
        let state =
            "document.querySelector('#targets-table th[aria-sort]').getAttribute('aria-sort')";
        let state = chromium.eval(state);
        (texts(chromium, NAMES), state)
    };
    let (by_calls, state) = sort(&mut chromium, 1);
    assert_eq!(state, json!("descending"));
    let calls = texts(&mut chromium, "#targets-table td[data-label=Calls]");
    let calls: Vec<u64> = calls
        .iter()
        .map(|n| n.replace(',', "").parse().unwrap())
        .collect();
    assert!(calls.is_sorted_by(|a, b| a >= b), "{calls:?}");
    assert_eq!(calls[0], 1000);
    let (reversed, state) = sort(&mut chromium, 1);
    assert_eq!(state, json!("ascending"));
    assert_eq!(reversed.last(), by_calls.first());
    let (by_name, state) = sort(&mut chromium, 0);
    assert_eq!(state, json!("ascending"));
    assert!(
        by_name.is_sorted_by_key(|name| name.to_lowercase()),
        "{by_name:?}"
    );
    assert_eq!(by_name.len(), all.len());
    // Typing filters: by the target's name, and by who calls it.
    chromium.eval("document.querySelector('#targets input[type=search]').focus()");
    for letter in "withtax int64".chars() {
        chromium.press(&letter.to_string());
    }
    let mut filtered = texts(&mut chromium, NAMES);
    filtered.sort();
    assert_eq!(
        filtered,
        [
            "libsqlite3.so.0!sqlite3_result_int64",
            "libsqlite3.so.0!sqlite3_value_int64"
        ]
    );
    chromium.eval("document.querySelector('#targets input').value = ''; document.querySelector('#targets input').dispatchEvent(new Event('input'))");
    let kinds = "document.querySelector('#targets select').value = 'callbacks'; document.querySelector('#targets select').dispatchEvent(new Event('change'))";
    chromium.eval(kinds);
    assert_eq!(texts(&mut chromium, NAMES), ["Demo.WithTax"]);
    assert!(chromium.complaints().is_empty());
    Ok(())
}

/// The number before ` in native`, or of the timeline's range.
fn shown_range(chromium: &mut Chromium) -> String {
    chromium
        .eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    texts(chromium, "#timeline-range").concat()
}

pub fn the_timeline_moves_and_finds() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "--record events", "sqlitedemo.dll", "500");
    open(&mut chromium, &page, WIDE, false);
    let whole = shown_range(&mut chromium);
    assert!(whole.starts_with("whole run"), "{whole}");
    chromium.eval("document.querySelector('#timeline .view canvas').focus()");
    chromium.press("+");
    let zoomed = shown_range(&mut chromium);
    assert_ne!(zoomed, whole);
    chromium.press("ArrowRight");
    assert_ne!(shown_range(&mut chromium), zoomed);
    chromium.press("Home");
    assert_eq!(shown_range(&mut chromium), whole);
    // A search goes to the call, and says what is known of it.
    chromium.eval("(() => { const s = document.querySelector('#timeline input'); s.value = 'sqlite3_open'; s.dispatchEvent(new Event('input')); })()");
    chromium.eval("document.querySelector('#timeline [aria-label^=\"Go to the next\"]').click()");
    let details = texts(&mut chromium, "#timeline-details").concat();
    for part in [
        "libsqlite3.so.0!sqlite3_open",
        "native call",
        "thread 1 (main)",
        "returned after",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert_ne!(shown_range(&mut chromium), whole);
    // The call is drawn there in the colour of its library. In the whole run it can be narrower
    // than a pixel.
    let blue = "(() => { const c = document.querySelector('#timeline .view canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] < 90 && d[i + 2] > 180) n++; return n; })()";
    let pixels = number(&mut chromium, blue);
    assert!(
        pixels > 200.0,
        "{pixels} pixels in the colour of the library"
    );
    // The keys go on from there, also into a call.
    chromium.eval("(() => { const s = document.querySelector('#timeline input'); s.value = 'withtax'; s.dispatchEvent(new Event('input')); })()");
    chromium.eval("document.querySelector('#timeline [aria-label^=\"Go to the next\"]').click()");
    let details = texts(&mut chromium, "#timeline-details").concat();
    assert!(
        details.contains("Demo.WithTax") && details.contains("callback"),
        "{details}"
    );
    assert!(details.contains("nested in 1 call"), "{details}");
    chromium.eval("document.querySelector('#timeline .view canvas').focus()");
    chromium.press("ArrowUp");
    let details = texts(&mut chromium, "#timeline-details").concat();
    assert!(details.contains("sqlite3_step"), "{details}");
    // The pointer moves the view, where there is something on both sides of it.
    chromium.press("Home");
    chromium.press("+");
    let before = shown_range(&mut chromium);
    chromium.eval("document.querySelector('#timeline').scrollIntoView()");
    let place = chromium.eval("(() => { const b = document.querySelector('#timeline .view canvas').getBoundingClientRect(); return [b.x + b.width / 2, b.y + 40]; })()");
    let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    chromium.mouse("mousePressed", (x, y));
    chromium.mouse("mouseMoved", (x + 60.0, y));
    chromium.mouse("mouseReleased", (x + 60.0, y));
    assert_ne!(shown_range(&mut chromium), before);
    assert!(chromium.complaints().is_empty());
    Ok(())
}

pub fn callers_are_a_graph_and_a_tree() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "--record events", "sqlitedemo.dll", "500");
    open(&mut chromium, &page, WIDE, false);
    // What has much of the time is open at first.
    let tree = texts(&mut chromium, "#callers .tree .label");
    assert!(tree.len() >= 3, "{tree:?}");
    for _ in 0..4 {
        chromium.eval("document.querySelectorAll('#callers [role=treeitem]').forEach((item) => item.toggle(true))");
    }
    let tree = texts(&mut chromium, "#callers .tree .label");
    for name in ["Demo.Run", "Demo.Insert", "libsqlite3.so.0!sqlite3_step"] {
        assert!(
            tree.iter().any(|label| label.contains(name)),
            "{name}: {tree:?}"
        );
    }
    // By nesting: the callback is below the call that made it.
    chromium.eval("document.querySelector('#callers [data-choice=nesting]').click()");
    chromium.eval("document.querySelector('#callers [data-choice=calls]').click()");
    chromium.eval("document.querySelector('#callers [role=treeitem]').focus()");
    let nested = "[...document.querySelectorAll('#callers [role=treeitem]')].find((item) => item.querySelector('.label').textContent.includes('sqlite3_step'))";
    chromium.eval(&format!("{nested}.toggle(true)"));
    let below = chromium.eval(&format!(
        "[...{nested}.querySelectorAll(':scope > ul .label')].map((label) => label.textContent)"
    ));
    let below: Vec<String> = serde_json::from_value(below).unwrap();
    assert_eq!(below[0], "Demo.WithTax");
    // The arrow keys go to the next node.
    let focus = "document.activeElement.querySelector('.label').textContent";
    let first = chromium.eval(focus);
    chromium.press("ArrowDown");
    assert_ne!(chromium.eval(focus), first);
    // The graph says what it shows where it is entered.
    chromium.eval("document.querySelector('#callers canvas').focus()");
    chromium.press("ArrowDown");
    let status = texts(&mut chromium, "#callers .details").concat();
    assert!(status.contains("in native code"), "{status}");
    assert!(chromium.complaints().is_empty());
    Ok(())
}

/// A recording may name its functions, threads and files as it likes.
pub fn names_of_a_recording_stay_texts() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let evil = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"><!-- \u{202e}\u{2028}${document.title = 'taken'}";
    let mut craft = Craft::new();
    craft.log([
        target(2, evil),
        Record::Program {
            args: vec![evil.into()],
        },
        Record::Runtime {
            name: evil.into(),
            version: evil.into(),
        },
        Record::Remark { text: evil.into() },
        Record::Text {
            number: 1,
            text: evil.into(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1, 1],
        },
        Record::FirstCall {
            target: 2,
            stack: 1,
        },
        Record::Slow {
            target: 2,
            task: 1,
            at: 9,
            took: 5,
            stack: 1,
        },
        Record::Attach(Attach::default()),
        Record::Snapshot(inside(71, Some(evil), Some(evil))),
    ]);
    craft.chunk(2, 1, 1, 0, 1, |record| {
        put(record, 8, 1);
        let name = &evil.as_bytes()[..60];
        put(record, 44, name.len() as u32);
        record[104..104 + name.len()].copy_from_slice(name);
        put(&mut record[1472..], 0, 2);
        put(&mut record[1472..], 4, 1);
    });
    craft.events(1, [CALL, RETURN, CALL]);
    craft.write(&space.path("a.soglia"), Level::Events, None);
    let page = page_of(&space, "a.soglia");
    let bytes = std::fs::read_to_string(&page).unwrap();
    // The data and the script, and nothing that a name began.
    assert_eq!(bytes.matches("<script").count(), 2);
    assert_eq!(bytes.matches("</script").count(), 2);
    open(&mut chromium, &page, WIDE, false);
    chromium.eval("document.querySelectorAll('button').forEach((one) => one.click())");
    assert_ne!(chromium.eval("document.title"), json!("taken"));
    assert_eq!(
        chromium.eval("document.querySelectorAll('img').length"),
        json!(0)
    );
    let shown = texts(&mut chromium, "main").concat();
    assert!(shown.contains("</script><script>"), "{shown}");
    assert!(!shown.contains(['\u{202e}', '\u{2028}']));
    assert!(chromium.complaints().is_empty());
    Ok(())
}

fn inside(os_thread: u32, thread: Option<&str>, callee: Option<&str>) -> Snapshot {
    Snapshot {
        at: 1,
        os_thread,
        stack: 1,
        native: 1,
        inside: true,
        thread: thread.map(str::to_owned),
        callee: callee.map(str::to_owned),
        ..Snapshot::default()
    }
}

/// What was inside a call before the attach, and what was not seen.
pub fn an_attach_has_a_section() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let mut craft = Craft::new();
    craft.log([
        target(2, "lib"),
        Record::Attach(Attach {
            asked: 1,
            live: 2,
            modules: 5,
            targets: 41,
            callers: 159,
            age_ns: 0,
        }),
        Record::Text {
            number: 1,
            text: "Shop.Reader.Next".into(),
        },
        Record::Stack {
            number: 1,
            frames: vec![1],
        },
        Record::Snapshot(inside(71, Some("reader"), Some("libc!read"))),
        Record::Snapshot(inside(72, None, Some("libc!read"))),
        Record::Unwatched(Unwatched {
            side: None,
            assembly: None,
            method: None,
            text: "code made at run time".into(),
        }),
        Record::Detach(Detach {
            not_entered: 12,
            ..Detach::default()
        }),
    ]);
    craft.task(1, 0);
    craft.write(&space.path("a.soglia"), Level::Summary, None);
    let page = page_of(&space, "a.soglia");
    open(&mut chromium, &page, WIDE, false);
    let shown = texts(&mut chromium, "#attached").concat();
    for part in [
        "159 methods that call 41 native functions were hooked in ",
        "libc!read271 \"reader\", 72none",
        "Shop.Reader.Next",
        "12 of 159 methods that call native code were not entered",
        "2 native calls that had begun before the attach",
        "code made at run time",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // They are not said twice.
    let notes = texts(&mut chromium, "#notes").concat();
    assert!(!notes.contains("code made at run time"), "{notes}");
    Ok(())
}

pub fn a_recording_without_calls_has_a_page() -> Outcome {
    let mut chromium = Chromium::start()?;
    let space = Space::new();
    let page = page(&space, "", "hello.dll", "");
    open(&mut chromium, &page, WIDE, false);
    let none: Vec<Value> = Vec::new();
    assert_eq!(
        chromium.eval(&format!(
            "[...document.querySelectorAll({NAMES:?})].map(() => 1)"
        )),
        json!(none)
    );
    let shown = texts(&mut chromium, "#targets").concat();
    assert!(shown.contains("No native call was recorded"), "{shown}");
    Ok(())
}
