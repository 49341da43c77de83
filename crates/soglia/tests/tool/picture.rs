//! The picture of a report in README.md: `make picture` draws it from what `soglia run` writes to a
//! terminal, and the test compares it with that.
//!
//! The drawing is here, and not a crate's, because it needs two themes with readable dim text and
//! knows just the styles that reports use.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::support::{SOGLIA, Space, fixture, setup};

/// The colours of one theme.
struct Theme {
    name: &'static str,
    background: &'static str,
    border: &'static str,
    text: &'static str,
    dim: &'static str,
    warning: &'static str,
    problem: &'static str,
}

const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        background: "#ffffff",
        border: "#d1d9e0",
        text: "#1f2328",
        dim: "#59636e",
        warning: "#9a6700",
        problem: "#d1242f",
    },
    Theme {
        name: "dark",
        background: "#0d1117",
        border: "#3d444d",
        text: "#f0f6fc",
        dim: "#9198a1",
        warning: "#d29922",
        problem: "#f85149",
    },
];

const LINE: usize = 18;
const MARGIN: usize = 16;
/// About the width of a character at 13 pixels, in hundredths.
const CHARACTER: usize = 783;

fn picture(theme: &Theme) -> PathBuf {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    docs.join(format!("report-{}.svg", theme.name))
}

/// What a terminal shows of a program and its report.
fn terminal(space: &Space) -> String {
    let path = space.path("terminal");
    let file = File::create(&path).unwrap();
    let status = space
        .command(SOGLIA)
        .args(["run", "shop.dll"])
        .current_dir(fixture(""))
        .env("CLICOLOR_FORCE", "1")
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status();
    assert!(status.unwrap().success());
    let mut written = fs::read_to_string(path).unwrap();
    // The picture shows no folder of the machine that it was made on.
    for (folder, name) in [
        (fixture(""), "/srv/shop/"),
        (setup().root.path.clone(), "/usr/lib/dotnet"),
    ] {
        let real = folder.canonicalize().unwrap();
        for folder in [folder, real] {
            let folder = folder.display().to_string();
            let folder = folder.trim_end_matches('/');
            written = written.replace(folder, name.trim_end_matches('/'));
        }
    }
    format!("\x1b[1m$ soglia run shop.dll\x1b[0m\n{written}")
}

/// A run of characters of one style, which is a class of the picture.
fn runs(line: &str) -> Vec<(&'static str, String)> {
    let mut class = "";
    let mut runs = Vec::new();
    for (n, part) in line.split("\x1b[").enumerate() {
        let text = if n == 0 {
            part
        } else {
            let (style, text) = part.split_once('m').unwrap();
            class = match style {
                "0" => "",
                "1" => "b",
                "2" => "d",
                "31" => "p",
                "33" => "w",
                other => panic!("a report has the style {other:?}"),
            };
            text
        };
        if !text.is_empty() {
            runs.push((class, text.to_owned()));
        }
    }
    runs
}

fn draw(written: &str, theme: &Theme) -> String {
    let lines: Vec<Vec<(&str, String)>> = written.lines().map(runs).collect();
    let length = |line: &Vec<(&str, String)>| -> usize {
        line.iter().map(|(_, text)| text.chars().count()).sum()
    };
    let columns = lines.iter().map(length).max().unwrap_or(0);
    let (width, height) = (
        columns * CHARACTER / 100 + 2 * MARGIN,
        lines.len() * LINE + 2 * MARGIN,
    );
    let Theme {
        background,
        border,
        text,
        dim,
        warning,
        problem,
        ..
    } = theme;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>A report of soglia</title>\n\
         <style>\n\
         text {{ font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; \
         fill: {text}; white-space: pre }}\n\
         .b {{ font-weight: bold }} .d {{ fill: {dim} }} .w {{ fill: {warning} }} .p {{ fill: {problem} }}\n\
         </style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{background}\" stroke=\"{border}\"/>\n",
        width - 1,
        height - 1,
    );
    for (n, line) in lines.iter().enumerate() {
        let y = MARGIN + n * LINE + 13;
        let _ = write!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">"
        );
        for (class, text) in line {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let _ = match *class {
                "" => write!(svg, "{text}"),
                class => write!(svg, "<tspan class=\"{class}\">{text}</tspan>"),
            };
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// The lines of a picture without what changes from run to run: numbers, units, the mark of first
/// calls, the errors of estimates, the program's path, and the order of targets.
fn masked(svg: &str) -> Vec<String> {
    let mut lines: Vec<String> = svg.lines().map(mask).collect();
    lines.sort();
    lines
}

fn mask(line: &str) -> String {
    if let Some((_, command)) = line.split_once(">soglia: ") {
        return command.rsplit(['/', ' ']).next().unwrap_or(command).into();
    }
    let error = ", <tspan class=\"d\">±";
    let line = match line.split_once(error) {
        Some((before, rest)) => {
            let (_, after) = rest.split_once("</tspan>").unwrap_or_default();
            format!("{before}{after}")
        }
        None => line.to_owned(),
    };
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let mut plain = String::new();
        // An address in hexadecimal is another one each time.
        let is_address = word.starts_with("0x");
        for character in word.replace('*', "").chars() {
            match character {
                'x' | 'a'..='f' if is_address && plain.ends_with('#') => {}
                '0'..='9' if plain.ends_with('#') => {}
                '0'..='9' => plain.push('#'),
                ',' | '.' if plain.ends_with('#') => {}
                other => plain.push(other),
            }
        }
        words.push(match &*plain {
            "ns" | "µs" | "ms" | "s" => "time".to_owned(),
            _ => plain,
        });
    }
    words.join(" ")
}

#[test]
fn the_picture_shows_what_the_command_writes() {
    let written = terminal(&Space::new());
    for theme in &THEMES {
        let drawn = draw(&written, theme);
        let path = picture(theme);
        if std::env::var_os("SOGLIA_BLESS").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            masked(&drawn),
            masked(&committed),
            "{} shows another report; `make picture` draws it anew",
            path.display()
        );
    }
}

#[test]
fn a_line_is_drawn_in_its_styles() {
    let drawn = draw("\x1b[1mcalls\x1b[0m  <- A\n", &THEMES[0]);
    assert!(
        drawn.contains("<tspan class=\"b\">calls</tspan>  &lt;- A</text>"),
        "{drawn}"
    );
    assert!(!drawn.contains('\x1b'));
    // Other numbers make the same picture, other words make another one.
    assert_eq!(
        mask("3  292 ms  1.2 s*  -> f"),
        mask("12  1.5 s  20 ns  -> f")
    );
    assert_ne!(mask("3  292 ms  -> f"), mask("3  292 ms  -> g"));
}
